#include "tokenizer/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace sluice::tokenizer {
namespace {

struct Sequence {
    std::size_t length;  // of the character, or of the ill-formed maximal subpart
    bool is_valid;
};

// Table 3-7 of the Unicode standard: only the second byte has bounds of its own.
Sequence sequence_at(const char* at, std::size_t left) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(at[i]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) return {1, true};
    if (lead < 0xC2 || lead > 0xF4) return {1, false};
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    const std::uint8_t lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const std::uint8_t highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (left < 2 || byte(1) < lowest || byte(1) > highest) return {1, false};
    for (std::size_t i = 2; i < length; ++i) {
        if (i >= left || (byte(i) & 0xC0) != 0x80) return {i, false};
    }
    return {length, true};
}

}  // namespace

std::size_t valid_prefix(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        if (text.size() - at >= 16) {
            std::uint64_t low;
            std::uint64_t high;
            std::memcpy(&low, text.data() + at, 8);
            std::memcpy(&high, text.data() + at + 8, 8);
            if (((low | high) & 0x8080808080808080) == 0) {
                at += 16;
                continue;
            }
        }
        // Some characters at once: text that is not ASCII rarely has a run of it.
        for (int i = 0; i < 8 && at < text.size(); ++i) {
            const Sequence sequence = sequence_at(text.data() + at, text.size() - at);
            if (!sequence.is_valid) return at;
            at += sequence.length;
        }
    }
    return at;
}

std::string with_replacements(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 64);
    while (!text.empty()) {
        const std::size_t valid = valid_prefix(text);
        out.append(text.substr(0, valid));
        text.remove_prefix(valid);
        if (text.empty()) break;
        out.append("\xEF\xBF\xBD");
        text.remove_prefix(sequence_at(text.data(), text.size()).length);
    }
    return out;
}

}  // namespace sluice::tokenizer
