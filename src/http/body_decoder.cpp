#include "http/body_decoder.hpp"

#include <algorithm>
#include <cstring>

namespace sluice::http {
namespace {

constexpr std::uint32_t kMaxExtra =
    16 * 1024;  // bytes of extensions of a chunk, or of all trailers
constexpr std::uint64_t kMaxChunk = std::uint64_t{1} << 59;  // times 16 still fits

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool is_text(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7F) || c == '\t';
}

}  // namespace

BodyDecoder BodyDecoder::of(const Head& head) {
    return of(head.framing(), head.content_length().value_or(0));
}

BodyDecoder BodyDecoder::of(Framing framing, std::uint64_t length) {
    BodyDecoder decoder;
    decoder.framing_ = framing;
    switch (framing) {
        case Framing::none:
            break;
        case Framing::length:
            decoder.left_ = length;
            if (length > 0) decoder.state_ = State::plain;
            break;
        case Framing::chunked:
            decoder.state_ = State::size_first;
            break;
        case Framing::until_close:
            decoder.state_ = State::until_close;
            break;
    }
    return decoder;
}

BodyDecoder::Step BodyDecoder::decode(std::span<char> input) {
    Step step;
    char* const begin = input.data();
    if (state_ == State::until_close) {
        step.consumed = input.size();
        step.piece = {begin, input.size()};
        return step;
    }
    if (state_ == State::plain) {
        step.consumed = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
        step.piece = {begin, step.consumed};
        left_ -= step.consumed;
        if (left_ == 0) state_ = State::done;
        return step;
    }
    std::size_t& at = step.consumed;
    char* body = nullptr;  // where the piece begins
    std::size_t size = 0;
    while (at < input.size() && state_ != State::done) {
        if (state_ != State::chunk) {
            if (!take(begin[at++])) {
                step.error = Errc::bad_chunk;
                break;
            }
            continue;
        }
        const auto part =
            static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - at));
        if (body == nullptr) {
            body = begin + at;
        } else {
            std::memmove(body + size, begin + at, part);
        }
        size += part;
        at += part;
        left_ -= part;
        if (left_ == 0) state_ = State::chunk_cr;
    }
    if (body != nullptr) step.piece = {body, size};
    return step;
}

bool BodyDecoder::take(char byte) {
    switch (state_) {
        case State::size_first:
        case State::size:
            if (const int digit = hex_value(byte); digit >= 0) {
                if (state_ == State::size_first) left_ = 0;
                left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
                state_ = State::size;
                return left_ <= kMaxChunk && ++extra_ <= kMaxExtra;
            }
            if (state_ == State::size_first) return false;
            if (byte == '\r') {
                state_ = State::size_lf;
                return true;
            }
            if (byte != ';' && byte != ' ' && byte != '\t') return false;
            state_ = State::extension;
            return true;
        case State::extension:
            if (byte == '\r') {
                state_ = State::size_lf;
                return true;
            }
            return is_text(byte) && ++extra_ <= kMaxExtra;
        case State::size_lf:
            end_size_line();
            return byte == '\n';
        case State::chunk_cr:
            state_ = State::chunk_lf;
            return byte == '\r';
        case State::chunk_lf:
            state_ = State::size_first;
            return byte == '\n';
        case State::trailer_start:
            if (byte == '\r') {
                state_ = State::end_lf;
                return true;
            }
            state_ = State::trailer;
            return is_text(byte) && byte != ' ' && byte != '\t' && ++extra_ <= kMaxExtra;
        case State::trailer:
            if (byte == '\r') {
                state_ = State::trailer_lf;
                return true;
            }
            return is_text(byte) && ++extra_ <= kMaxExtra;
        case State::trailer_lf:
            state_ = State::trailer_start;
            return byte == '\n';
        case State::end_lf:
            state_ = State::done;
            return byte == '\n';
        case State::done:
        case State::plain:
        case State::until_close:
        case State::chunk:
            break;
    }
    return false;
}

void BodyDecoder::end_size_line() {
    extra_ = 0;
    state_ = left_ > 0 ? State::chunk : State::trailer_start;
}

Error BodyDecoder::on_close() {
    if (state_ == State::until_close) state_ = State::done;
    return state_ == State::done ? Error{} : Error{Errc::partial_message};
}

}  // namespace sluice::http
