#include "openai/headers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace sluice::openai {
namespace {

struct LimitHeaderNames {
    limits::Dimension dimension;
    std::string_view limit;
    std::string_view remaining;
    std::string_view reset;
};

constexpr std::array<LimitHeaderNames, 4> kLimitHeaders{{
    {limits::Dimension::requests,
     "x-ratelimit-limit-requests",
     "x-ratelimit-remaining-requests",
     "x-ratelimit-reset-requests"},
    {limits::Dimension::input_tokens,
     "x-ratelimit-limit-tokens",
     "x-ratelimit-remaining-tokens",
     "x-ratelimit-reset-tokens"},
    {limits::Dimension::input_tokens,
     "x-ratelimit-limit-input-tokens",
     "x-ratelimit-remaining-input-tokens",
     "x-ratelimit-reset-input-tokens"},
    {limits::Dimension::output_tokens,
     "x-ratelimit-limit-output-tokens",
     "x-ratelimit-remaining-output-tokens",
     "x-ratelimit-reset-output-tokens"},
}};

void add(HeaderList& headers, std::string_view name, std::string value) {
    Header header;
    header.name = name;
    header.value = std::move(value);
    headers.push_back(std::move(header));
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower) {
    if (text.size() < lower.size()) return false;
    return std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
    });
}

void append_number(std::string& text, std::int64_t number) {
    std::array<char, 24> digits{};
    text.append(
        digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr
    );
}

}  // namespace

HeaderList rate_limit_headers(const limits::Limits& limits, const limits::Usage& usage) {
    HeaderList headers;
    for (const LimitHeaderNames& names : kLimitHeaders) {
        const std::optional<std::int64_t>& limit = limits[names.dimension];
        if (!limit) continue;
        const std::int64_t remaining =
            std::clamp<std::int64_t>(*limit - usage.used[names.dimension], 0, *limit);
        const auto index = static_cast<std::size_t>(names.dimension);
        add(headers, names.limit, std::to_string(*limit));
        add(headers, names.remaining, std::to_string(remaining));
        add(headers, names.reset, to_duration_text(usage.empty_in[index]));
    }
    return headers;
}

HeaderList retry_headers(const limits::Decision& denial) {
    if (!denial.fits_never) return retry_headers(denial.retry_after);
    HeaderList headers;
    add(headers, "x-should-retry", "false");
    return headers;
}

HeaderList retry_headers(milliseconds wait) {
    // Clients take 0 for "no advice" and come back with a backoff of their own.
    const std::int64_t exact = std::max<std::int64_t>(wait.count(), 1);
    HeaderList headers;
    add(headers, "retry-after-ms", std::to_string(exact));
    add(headers, "retry-after", std::to_string((exact + 999) / 1000));
    // Clients disagree beyond a minute: some wait, some hammer at once.
    if (exact > 60'000) add(headers, "x-should-retry", "false");
    return headers;
}

bool is_upstream_limit_header(std::string_view name) {
    return starts_with_ignoring_case(name, "x-ratelimit-") ||
           starts_with_ignoring_case(name, "ratelimit-") ||
           (name.size() == 9 && starts_with_ignoring_case(name, "ratelimit"));
}

std::string to_duration_text(milliseconds duration) {
    const std::int64_t all = std::max<std::int64_t>(duration.count(), 0);
    if (all == 0) return "0s";
    std::string text;
    if (all < 1000) {
        append_number(text, all);
        return text += "ms";
    }
    const std::int64_t hours = all / 3'600'000;
    const std::int64_t minutes = all / 60'000 % 60;
    if (hours > 0) {
        append_number(text, hours);
        text += 'h';
    }
    if (hours > 0 || minutes > 0) {
        append_number(text, minutes);
        text += 'm';
    }
    append_number(text, all / 1000 % 60);
    if (const std::int64_t fraction = all % 1000; fraction != 0) {
        const std::size_t point = text.size();
        append_number(text, 1000 + fraction);
        text[point] = '.';  // in place of the leading 1
        text.erase(text.find_last_not_of('0') + 1);
    }
    return text += 's';
}

}  // namespace sluice::openai
