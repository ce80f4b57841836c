#include "http/forward_fields.hpp"

#include "http/head_parser.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::http {
namespace {

template <bool is_request>
Head parsed(const std::string& text) {
    Head head;
    HeadParser<is_request> parser{head, HeadLimits{}};
    const Result<std::size_t> size = parser.parse(text);
    EXPECT_TRUE(size && *size == text.size()) << text;
    return head;
}

std::string forwarded(
    const Head& head, const FieldEdits& edits, Framing framing, std::uint64_t length
) {
    std::string out;
    const RequestTarget target{head.target(), "up.example:8000"};
    append_request_head(out, head, target, edits, framing, length);
    return out;
}

TEST(ForwardFieldsTest, CopiesWhatStaysByteByByte) {
    const Head head = parsed<true>(
        "POST /v1/x?y HTTP/1.1\r\nhost: me\r\nX-ODD:  a\t\r\nAccept: a\r\naccept: b\r\n"
        "Content-Length: 3\r\n\r\n"
    );
    EXPECT_EQ(
        forwarded(head, FieldEdits{}, Framing::length, 5),
        "POST /v1/x?y HTTP/1.1\r\nHost: up.example:8000\r\nX-ODD:  a\t\r\nAccept: a\r\naccept: "
        "b\r\n"
        "Content-Length: 5\r\n\r\n"
    );
}

TEST(ForwardFieldsTest, LeavesOutWhatConcernsOneConnection) {
    const Head head = parsed<true>(
        "GET / HTTP/1.1\r\nHost: me\r\nConnection: close, X-Hop, Upgrade, HTTP2-Settings\r\n"
        "x-hop: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\nProxy-Connection: keep-alive\r\n"
        "TE: trailers\r\nTrailer: T\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nExpect: "
        "100-continue\r\n"
        "Stays: yes\r\n\r\n"
    );
    EXPECT_EQ(
        forwarded(head, FieldEdits{}, Framing::none, 0),
        "GET / HTTP/1.1\r\nHost: up.example:8000\r\nStays: yes\r\n\r\n"
    );
}

TEST(ForwardFieldsTest, FramesTheBodyAnew) {
    const Head chunked =
        parsed<true>("POST / HTTP/1.1\r\nHost: me\r\nTransfer-Encoding: chunked\r\n\r\n");
    EXPECT_EQ(
        forwarded(chunked, FieldEdits{}, Framing::chunked, 0),
        "POST / HTTP/1.1\r\nHost: up.example:8000\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    EXPECT_EQ(
        forwarded(chunked, FieldEdits{}, Framing::length, 7),
        "POST / HTTP/1.1\r\nHost: up.example:8000\r\nContent-Length: 7\r\n\r\n"
    );
    const Head empty = parsed<true>("POST / HTTP/1.1\r\nHost: me\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(
        forwarded(empty, FieldEdits{}, Framing::none, 0),
        "POST / HTTP/1.1\r\nHost: up.example:8000\r\nContent-Length: 0\r\n\r\n"
    );
}

TEST(ForwardFieldsTest, KeepsAWebSocketUpgrade) {
    const Head head = parsed<true>(
        "GET / HTTP/1.1\r\nHost: me\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Key: k\r\n\r\n"
    );
    EXPECT_EQ(
        forwarded(head, FieldEdits{}, Framing::none, 0),
        "GET / HTTP/1.1\r\nHost: up.example:8000\r\nSec-WebSocket-Key: k\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
    const Head answer = parsed<false>(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
    std::string lines;
    append_response_fields(lines, answer, FieldEdits{});
    EXPECT_EQ(lines, "Connection: upgrade\r\nUpgrade: websocket\r\n");
}

TEST(ForwardFieldsTest, RemovesReplacesAndAdds) {
    FieldEdits edits;
    edits.remove("x-ratelimit-*");
    edits.set("authorization", "Bearer new\r\nX-Smuggled: 1");
    const Head request = parsed<true>(
        "GET / HTTP/1.1\r\nHost: me\r\nAuthorization: Bearer old\r\nX-RateLimit-Limit: 1\r\n"
        "X-RateLimits: 2\r\n\r\n"
    );
    EXPECT_EQ(
        forwarded(request, edits, Framing::none, 0),
        "GET / HTTP/1.1\r\nHost: up.example:8000\r\nX-RateLimits: 2\r\n"
        "authorization: Bearer newX-Smuggled: 1\r\n\r\n"
    );
    const Head answer = parsed<false>(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nX-Ratelimit-Reset: 1s\r\n"
        "Set-Cookie: a\r\nSet-Cookie: b\r\n\r\n"
    );
    std::string lines;
    append_response_fields(lines, answer, edits);
    EXPECT_EQ(
        lines, "Set-Cookie: a\r\nSet-Cookie: b\r\nauthorization: Bearer newX-Smuggled: 1\r\n"
    );
    EXPECT_EQ(announced_size(answer), 5u);
}

TEST(ForwardFieldsTest, TellsTheDateAsHttpWritesIt) {
    std::string line;
    append_date_field(line);
    EXPECT_TRUE(line.starts_with("Date: "));
    EXPECT_TRUE(line.ends_with(" GMT\r\n"));
    EXPECT_EQ(line.size(), std::string{"Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"}.size());
}

}  // namespace
}  // namespace sluice::http
