#pragma once

#include "base/result.hpp"
#include "http/error.hpp"
#include "http/head.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sluice::http {

// Finds the body in the bytes after a head (RFC 9112, 6 and 7): plain up to a length, chunked, or
// up to the peer's close. Pure; takes any split of the input. Chunk extensions and trailers are
// checked and dropped.
class BodyDecoder {
 public:
    BodyDecoder() = default;  // no body: done
    static BodyDecoder of(const Head& head);
    static BodyDecoder of(Framing framing, std::uint64_t length);

    struct Step {
        std::size_t consumed = 0;  // bytes of the input that are done with, the piece included
        std::string_view piece;    // body bytes, a view into the input
        Error error;               // Errc::bad_chunk
    };
    // Takes all it can of `input`. Several chunks are moved together in place, so that one read
    // gives one piece. A step without piece and error wants more input, unless `is_done()`.
    Step decode(std::span<char> input);
    // The peer closed: no error when that is how the body ends.
    Error on_close();

    bool is_done() const { return state_ == State::done; }
    Framing framing() const { return framing_; }
    // Bytes of the body still to come, when its length is known.
    std::uint64_t length_left() const { return framing_ == Framing::length ? left_ : 0; }

 private:
    enum class State : std::uint8_t {
        done,
        plain,  // left_ bytes
        until_close,
        size_first,  // the first digit of a chunk's size
        size,
        extension,
        size_lf,
        chunk,  // left_ bytes
        chunk_cr,
        chunk_lf,
        trailer_start,
        trailer,
        trailer_lf,
        end_lf,
    };
    // One byte that is not body.
    bool take(char byte);
    void end_size_line();

    State state_ = State::done;
    Framing framing_ = Framing::none;
    std::uint64_t left_ = 0;
    std::uint32_t extra_ = 0;  // bytes of extensions and trailers
};

}  // namespace sluice::http
