// Chunked bodies. The first byte says how the input is cut: whole or cut, the outcome must be the
// same; and where Beast's parser accepts the body too, it must read the same bytes.
#include "http/body_decoder.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace sluice;
using namespace sluice::http;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

struct Outcome {
    std::string body;
    std::size_t consumed = 0;
    bool has_failed = false;
    bool is_done = false;
};

Outcome decode(std::string_view text, std::size_t cut) {
    BodyDecoder decoder = BodyDecoder::of(Framing::chunked, 0);
    Outcome outcome;
    while (outcome.consumed < text.size() && !decoder.is_done()) {
        std::string part{text.substr(outcome.consumed, cut)};
        const BodyDecoder::Step step = decoder.decode(part);
        if (step.error) {
            outcome.has_failed = true;
            return outcome;
        }
        require(step.consumed == part.size() || decoder.is_done());
        outcome.body += step.piece;
        outcome.consumed += step.consumed;
    }
    outcome.is_done = decoder.is_done();
    return outcome;
}

void compare_with_beast(std::string_view text, const Outcome& ours) {
    namespace beast_http = boost::beast::http;
    beast_http::request_parser<beast_http::string_body> parser;
    parser.eager(true);
    const std::string message =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string{text};
    Error error;
    std::size_t at = 0;
    while (at < message.size() && !parser.is_done() && !error) {
        at += parser.put(boost::asio::buffer(message.data() + at, message.size() - at), error);
    }
    if (error || !parser.is_done()) return;
    require(!ours.has_failed ? ours.is_done && parser.get().body() == ours.body : true);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
    const Outcome whole = decode(text, text.size() + 1);
    const Outcome parts = decode(text, data[0] % 16 + 1U);
    require(whole.has_failed == parts.has_failed && whole.is_done == parts.is_done);
    if (!whole.has_failed) {
        require(whole.body == parts.body && whole.consumed == parts.consumed);
    }
    compare_with_beast(text, whole);
    return 0;
}
