#include "kube/object.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace sluice::kube {
namespace {

// The reason that says more than the status does, among the causes.
bool has_cause(const Json& object, std::string_view reason) {
    const Json* causes = find(object, {"details", "causes"});
    if (causes == nullptr || !causes->is_array()) return false;
    return std::any_of(causes->begin(), causes->end(), [&](const Json& cause) {
        return text_at(cause, {"reason"}) == reason;
    });
}

std::string to_text(WallTime time, bool with_micros) {
    const auto micros = std::chrono::floor<microseconds>(time);
    const auto whole = std::chrono::floor<seconds>(micros);
    const std::time_t when = std::chrono::system_clock::to_time_t(whole);
    std::tm parts{};
    gmtime_r(&when, &parts);
    char text[64];
    const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    std::string out{text, size};
    if (with_micros) {
        std::snprintf(text, sizeof text, ".%06d", static_cast<int>((micros - whole).count()));
        out += text;
    }
    return out + "Z";
}

}  // namespace

Metadata metadata_of(const Json& object) {
    return Metadata{
        .namespace_name = text_at(object, {"metadata", "namespace"}),
        .name = text_at(object, {"metadata", "name"}),
        .uid = text_at(object, {"metadata", "uid"}),
        .resource_version = text_at(object, {"metadata", "resourceVersion"}),
        .created = text_at(object, {"metadata", "creationTimestamp"}),
        .generation = integer_at(object, {"metadata", "generation"}).value_or(0),
        .is_deleting = find(object, {"metadata", "deletionTimestamp"}) != nullptr,
    };
}

ApiStatus status_of(const Json& object, int http_status) {
    ApiStatus status;
    const std::int64_t code = integer_at(object, {"code"}).value_or(http_status);
    status.code = code >= 100 && code <= 599 ? static_cast<int>(code) : http_status;
    status.reason = text_at(object, {"reason"});
    if (has_cause(object, "ResourceVersionTooLarge")) status.reason = "ResourceVersionTooLarge";
    status.message = text_at(object, {"message"}).substr(0, 1000);
    const auto wait = integer_at(object, {"details", "retryAfterSeconds"});
    if (wait && *wait > 0) status.retry_after = seconds{std::min<std::int64_t>(*wait, 300)};
    return status;
}

std::string to_micro_time(WallTime time) {
    return to_text(time, true);
}
std::string to_second_time(WallTime time) {
    return to_text(time, false);
}

std::optional<std::string> from_base64(std::string_view text) {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && text.ends_with('=')) {
        text.remove_suffix(1);
        ++padding;
    }
    std::string out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        const std::size_t value = kAlphabet.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = (bits << 6) | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        out += static_cast<char>((bits >> count) & 0xFF);
    }
    return out;
}

}  // namespace sluice::kube
