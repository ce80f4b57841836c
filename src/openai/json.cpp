#include "openai/json.hpp"

#include "openai/json_impl.hpp"

#include <algorithm>
#include <cstdlib>

// simdjson refuses three things that the upstreams' readers take: lone surrogates in strings,
// integers beyond 64 bits, and numbers beyond a double. Where it refuses a document, these are
// replaced in a copy by something it takes, of the same length, and the copy is read.
namespace sluice::openai {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_number_char(char c) {
    return is_digit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

// The code unit of a `\uXXXX` at `at`, or -1.
int unicode_escape_at(std::string_view text, std::size_t at) {
    if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
    int unit = 0;
    for (std::size_t i = at + 2; i < at + 6; ++i) {
        const char c = text[i];
        const char lower = static_cast<char>(c | 0x20);
        if (is_digit(c)) {
            unit = unit * 16 + (c - '0');
        } else if (lower >= 'a' && lower <= 'f') {
            unit = unit * 16 + (lower - 'a' + 10);
        } else {
            return -1;
        }
    }
    return unit;
}

bool is_high_surrogate(int unit) {
    return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_low_surrogate(int unit) {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

// Goes over the escape at `at` and gives the place after it.
std::size_t patch_escape(std::string& text, std::size_t at) {
    const int unit = unicode_escape_at(text, at);
    if (unit < 0) return at + 2;
    if (is_high_surrogate(unit) && is_low_surrogate(unicode_escape_at(text, at + 6)))
        return at + 12;
    if (is_high_surrogate(unit) || is_low_surrogate(unit)) text.replace(at + 2, 4, "FFFD");
    return at + 6;
}

// Is it a number by JSON's grammar?
bool is_json_number(std::string_view text) {
    std::size_t at = 0;
    const auto skip_digits = [&] {
        const std::size_t begin = at;
        while (at < text.size() && is_digit(text[at])) ++at;
        return at - begin;
    };
    if (at < text.size() && text[at] == '-') ++at;
    const std::size_t first = at;
    const std::size_t whole = skip_digits();
    if (whole == 0 || (whole > 1 && text[first] == '0')) return false;
    if (at < text.size() && text[at] == '.') {
        ++at;
        if (skip_digits() == 0) return false;
    }
    if (at < text.size() && (text[at] | 0x20) == 'e') {
        ++at;
        if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
        if (skip_digits() == 0) return false;
    }
    return at == text.size();
}

// A number too big for simdjson becomes one that is big and fits, then spaces.
void patch_number(std::string& text, std::size_t begin, std::size_t end) {
    constexpr std::size_t kSafeDigits = 18;
    const std::string_view number = std::string_view{text}.substr(begin, end - begin);
    if (!is_json_number(number)) return;
    const bool is_integer = number.find_first_of(".eE") == std::string_view::npos;
    const double value = std::strtod(text.c_str() + begin, nullptr);
    const bool is_infinite = value > 1.7e308 || value < -1.7e308;
    const bool is_big_integer = is_integer && number.size() > kSafeDigits + 1;
    if (!is_infinite && !is_big_integer) return;
    if (number.front() == '-') ++begin;
    std::string big = is_infinite ? "9e99" : std::string(kSafeDigits, '9');
    big.resize(end - begin, ' ');
    text.replace(begin, end - begin, big);
}

void patch(std::string& text) {
    bool is_in_string = false;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (is_in_string && c == '\\') {
            at = patch_escape(text, at);
        } else if (c == '"') {
            is_in_string = !is_in_string;
            ++at;
        } else if (!is_in_string && is_number_char(c)) {
            std::size_t end = at;
            while (end < text.size() && is_number_char(text[end])) ++end;
            patch_number(text, at, end);
            at = end;
        } else {
            ++at;
        }
    }
}

}  // namespace

JsonReader::JsonReader() : impl_{std::make_unique<Impl>()} {}
JsonReader::~JsonReader() = default;
JsonReader::JsonReader(JsonReader&&) noexcept = default;
JsonReader& JsonReader::operator=(JsonReader&&) noexcept = default;

std::optional<std::string> JsonReader::Impl::read(std::string_view json) {
    if (json.substr(0, 3) == "\xEF\xBB\xBF") json.remove_prefix(3);
    if (parser.capacity() > kKeptSize && json.size() <= kKeptSize) {
        parser = simdjson::dom::parser{};
        patched = {};
    }
    if (parser.capacity() < json.size() || parser.capacity() == 0) {
        constexpr std::size_t kLeast = 4096;
        const std::size_t doubled = std::min(2 * parser.capacity(), kKeptSize);
        if (parser.allocate(std::max({kLeast, doubled, json.size()}), kMaxDepth)) {
            return "It is too large.";
        }
    }
    auto error = parser.parse(json.data(), json.size()).get(root);
    const bool is_worth_patching =
        error == simdjson::STRING_ERROR || error == simdjson::NUMBER_ERROR;
    if (is_worth_patching) {
        patched.assign(json);
        patch(patched);
        error = parser.parse(patched).get(root);
    }
    if (error) return simdjson::error_message(error);
    return std::nullopt;
}

}  // namespace sluice::openai
