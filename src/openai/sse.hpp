#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Server-sent events, cut from a byte stream (WHATWG HTML, section 9.2.6).
namespace sluice::openai {

struct SseEvent {
    // All bytes of the event with its blank line. Every byte of the stream is in exactly one event.
    std::string_view bytes;
    // What its `data` lines say, joined by LF. Empty when `is_oversize`.
    std::string_view data;
    // More bytes than the splitter keeps: the event comes in several pieces, the last has `is_end`.
    bool is_oversize = false;
    bool is_end = true;
};

// Takes any split of the input and gives the same events, in order:
//
//     splitter.feed(piece);
//     while (std::optional<SseEvent> event = splitter.next()) relay(event->bytes);
//
// An event that lies in one piece is a view of it, another is put together once; `bytes` lives as
// long as the piece or until the next `feed`, `data` until the next `next`.
//
// Lines end with LF, CRLF or CR. An event ends right after its blank line; where that is a CR its
// LF is waited for, unless an earlier line of the event ended with CR alone.
class SseSplitter {
 public:
    static constexpr std::size_t kMaxEvent = 1 << 20;

    explicit SseSplitter(std::size_t max_event = kMaxEvent) : max_event_{max_event} {}

    // Requires: `next` has given nothing for the piece before.
    void feed(std::string_view piece);
    std::optional<SseEvent> next();

    // What is left when the stream has ended: an event without its blank line.
    std::optional<SseEvent> finish();

 private:
    enum class State : std::uint8_t { line_start, in_line, line_cr, blank_cr };

    std::size_t scan_to_end();
    SseEvent whole(std::string_view bytes);
    void begin_event();

    std::size_t max_event_;
    std::string_view piece_;  // what of the last piece is not yet given
    std::string carry_;       // the beginning of an event from earlier pieces
    std::string given_;       // the event that `carry_` became
    std::string data_;        // payload of several lines
    State state_ = State::line_start;
    bool has_bare_cr_ = false;
    bool is_oversize_ = false;
    bool is_end_found_ = false;
    bool is_first_event_ = true;  // may open with a byte order mark
};

}  // namespace sluice::openai
