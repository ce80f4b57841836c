#include "openai/usage_scan.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace sluice::openai {
namespace {

// The next quote or backslash at or after `at`, or the end. Most of an answer is inside strings, so
// eight bytes are looked at together: a byte that equals `c` is zero after XOR with c, and only
// then does (x - 1) & ~x keep the byte's high bit. A false hit can only come above a true one.
std::size_t find_special(std::string_view text, std::size_t at) {
    constexpr std::uint64_t kOnes = 0x0101010101010101U;
    constexpr std::uint64_t kHighs = 0x8080808080808080U;
    const auto zeros = [](std::uint64_t word) { return (word - kOnes) & ~word & kHighs; };
    for (; at + 8 <= text.size(); at += 8) {
        std::uint64_t word{};
        std::memcpy(&word, text.data() + at, 8);
        const std::uint64_t hits = zeros(word ^ (kOnes * '"')) | zeros(word ^ (kOnes * '\\'));
        if (hits != 0) break;
    }
    while (at < text.size() && text[at] != '"' && text[at] != '\\') ++at;
    return at;
}

}  // namespace

void UsageScan::feed(std::string_view piece) {
    for (std::size_t at = 0; at < piece.size() && !is_closed_;) {
        if (is_in_string_) {
            at = take_string(piece, at);
            continue;
        }
        const char c = piece[at++];
        const bool was_kept = keep_depth_ != 0;
        switch (c) {
            case '"':
                if (depth_ == 0) break;  // nothing has begun
                is_in_string_ = true;
                is_key_ = is_key_next_ && is_watched_object();
                is_key_next_ = false;
                if (is_key_) key_.clear();
                break;
            case '{':
            case '[':
                open(c);
                break;
            case '}':
            case ']':
                if (was_kept) keep(piece.substr(at - 1, 1));
                close();
                continue;
            case ',':
                is_key_next_ = is_watched_object();
                break;
            default:
                break;
        }
        if (keep_depth_ != 0) keep(piece.substr(at - 1, 1));
    }
}

void UsageScan::open(char bracket) {
    if (depth_ == 0 && bracket != '{') return;
    const bool is_object = bracket == '{';
    const bool is_usage = is_object && is_watched_object() && key_ == "usage";
    if (is_usage && keep_depth_ == 0) {
        keep_depth_ = depth_;
        kept_.clear();
    }
    if (depth_ == 1) is_in_response_ = is_object && key_ == "response";
    ++depth_;
    is_key_next_ = is_object && is_watched_object();
    if (is_key_next_) key_.clear();
}

void UsageScan::close() {
    if (depth_ == 0) return;
    --depth_;
    is_key_next_ = false;
    if (depth_ == 1) is_in_response_ = false;
    if (keep_depth_ != 0 && depth_ == keep_depth_) {
        keep_depth_ = 0;
        if (kept_.size() <= kMaxUsage) usage_.swap(kept_);
    }
    if (depth_ == 0) is_closed_ = true;
}

// Goes through the inside of a string, as far as it is in this piece.
std::size_t UsageScan::take_string(std::string_view piece, std::size_t at) {
    const std::size_t begin = at;
    while (at < piece.size() && is_in_string_) {
        if (is_escaped_) {
            is_escaped_ = false;
            ++at;
            continue;
        }
        at = find_special(piece, at);
        if (at == piece.size()) break;
        is_escaped_ = piece[at] == '\\';
        is_in_string_ = is_escaped_;
        ++at;
    }
    const std::string_view inside = piece.substr(begin, at - begin);
    if (keep_depth_ != 0) keep(inside);
    if (is_key_ && key_.size() <= kMaxKey) {
        const std::size_t quote = is_in_string_ ? 0 : 1;
        key_.append(inside.substr(0, std::min(inside.size() - quote, kMaxKey + 1)));
    }
    return at;
}

void UsageScan::keep(std::string_view bytes) {
    if (kept_.size() <= kMaxUsage) kept_.append(bytes);
}

}  // namespace sluice::openai
