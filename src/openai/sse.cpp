#include "openai/sse.hpp"

#include <cassert>
#include <utility>

namespace sluice::openai {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The first CR or LF at or after `from`, or the end.
std::size_t find_line_end(std::string_view text, std::size_t from) {
    while (from < text.size() && text[from] != '\n' && text[from] != '\r') ++from;
    return from;
}

// The value of a `data` line; nothing for other lines.
std::optional<std::string_view> data_of(std::string_view line) {
    constexpr std::string_view kName = "data";
    if (line.substr(0, kName.size()) != kName) return std::nullopt;
    line.remove_prefix(kName.size());
    if (line.empty()) return line;
    if (line.front() != ':') return std::nullopt;
    line.remove_prefix(1);
    if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    return line;
}

}  // namespace

void SseSplitter::feed(std::string_view piece) {
    assert(piece_.empty());
    piece_ = piece;
}

std::optional<SseEvent> SseSplitter::next() {
    if (is_end_found_) begin_event();
    if (piece_.empty()) return std::nullopt;

    const std::string_view part = piece_.substr(0, scan_to_end());
    piece_.remove_prefix(part.size());

    const bool begins_oversize = !is_oversize_ && carry_.size() + part.size() > max_event_;
    if (!is_oversize_ && !begins_oversize && !is_end_found_) {
        carry_.append(part);
        return std::nullopt;
    }
    std::string_view bytes = part;
    if (!carry_.empty()) {
        given_.swap(carry_);
        carry_.clear();
        given_.append(part);
        bytes = given_;
    }
    if (!is_oversize_ && !begins_oversize) return whole(bytes);

    is_oversize_ = true;
    SseEvent event;
    event.bytes = bytes;
    event.is_oversize = true;
    event.is_end = is_end_found_;
    return event;
}

std::optional<SseEvent> SseSplitter::finish() {
    assert(piece_.empty());
    if (is_end_found_) begin_event();
    is_end_found_ = true;
    if (is_oversize_) {
        SseEvent end;
        end.is_oversize = true;
        return end;
    }
    if (carry_.empty()) return std::nullopt;
    given_.swap(carry_);
    carry_.clear();
    return whole(given_);
}

// Goes through `piece_` up to the end of the event, or to its own end. Gives the bytes gone
// through; `is_end_found_` says which it was.
std::size_t SseSplitter::scan_to_end() {
    std::size_t at = 0;
    while (at < piece_.size()) {
        const char c = piece_[at];
        switch (state_) {
            case State::in_line:
                at = find_line_end(piece_, at);
                if (at == piece_.size()) return at;
                state_ = piece_[at] == '\n' ? State::line_start : State::line_cr;
                ++at;
                break;
            case State::line_cr:
                if (c == '\n') {
                    ++at;
                } else {
                    has_bare_cr_ = true;
                }
                state_ = State::line_start;
                break;
            case State::line_start:
                if (c == '\n' || (c == '\r' && has_bare_cr_)) {
                    is_end_found_ = true;
                    return at + 1;
                }
                if (c == '\r') {
                    state_ = State::blank_cr;
                    ++at;
                } else {
                    state_ = State::in_line;
                }
                break;
            case State::blank_cr:
                is_end_found_ = true;
                return c == '\n' ? at + 1 : at;
        }
    }
    return at;
}

SseEvent SseSplitter::whole(std::string_view bytes) {
    SseEvent event;
    event.bytes = bytes;
    if (is_first_event_ && bytes.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
        bytes.remove_prefix(kByteOrderMark.size());
    }
    std::size_t data_lines = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t end = find_line_end(bytes, at);
        const std::string_view line = bytes.substr(at, end - at);
        const bool is_crlf = bytes.substr(end, 2) == "\r\n";
        at = end + (is_crlf ? 2 : 1);
        const std::optional<std::string_view> value = data_of(line);
        if (!value) continue;
        if (data_lines == 0) {
            event.data = *value;
        } else {
            if (data_lines == 1) data_.assign(event.data);
            data_ += '\n';
            data_.append(*value);
            event.data = data_;
        }
        ++data_lines;
    }
    return event;
}

void SseSplitter::begin_event() {
    state_ = State::line_start;
    has_bare_cr_ = false;
    is_oversize_ = false;
    is_end_found_ = false;
    is_first_event_ = false;
}

}  // namespace sluice::openai
