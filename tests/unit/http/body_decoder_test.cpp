#include "http/body_decoder.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::http {
namespace {

struct Outcome {
    std::string body;
    std::string rest;
    Error error;
    bool is_done = false;
};

// Feeds `text` in parts of `part` bytes.
Outcome decode(BodyDecoder decoder, const std::string& text, std::size_t part) {
    Outcome outcome;
    std::size_t at = 0;
    while (at < text.size() && !decoder.is_done()) {
        std::string piece = text.substr(at, part);
        const BodyDecoder::Step step = decoder.decode(piece);
        outcome.body += step.piece;
        outcome.error = step.error;
        if (step.error) return outcome;
        at += step.consumed;
        EXPECT_TRUE(step.consumed == piece.size() || decoder.is_done());
    }
    outcome.rest = text.substr(at);
    outcome.is_done = decoder.is_done();
    return outcome;
}

BodyDecoder chunked() {
    return BodyDecoder::of(Framing::chunked, 0);
}

const std::string kChunks =
    "5\r\nhello\r\n"
    "1;name=value\r\n \r\n"
    "00A ; q=\"a;b\"\r\n0123456789\r\n"
    "0\r\n"
    "Trailer: dropped\r\n"
    "Another: one\r\n"
    "\r\n";

TEST(BodyDecoderTest, JoinsChunksHoweverTheyAreCut) {
    for (std::size_t part = 1; part <= kChunks.size() + 4; ++part) {
        const Outcome outcome = decode(chunked(), kChunks + "next", part);
        ASSERT_TRUE(outcome.is_done) << part;
        ASSERT_EQ(outcome.body, "hello 0123456789") << part;
        ASSERT_EQ(outcome.rest, "next") << part;
    }
    for (std::size_t cut = 0; cut <= kChunks.size(); ++cut) {
        BodyDecoder decoder = chunked();
        std::string first = kChunks.substr(0, cut);
        std::string second = kChunks.substr(cut);
        std::string body{decoder.decode(first).piece};
        body += decoder.decode(second).piece;
        ASSERT_EQ(body, "hello 0123456789") << cut;
        ASSERT_TRUE(decoder.is_done()) << cut;
    }
}

TEST(BodyDecoderTest, GivesOnePieceForAllChunksOfOneRead) {
    std::string text = kChunks;
    BodyDecoder decoder = chunked();
    const BodyDecoder::Step step = decoder.decode(text);
    EXPECT_EQ(step.piece, "hello 0123456789");
    EXPECT_EQ(step.consumed, text.size());
    EXPECT_TRUE(decoder.is_done());
}

TEST(BodyDecoderTest, RefusesWhatIsNoChunkedBody) {
    const std::vector<std::string> rows{
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        " 1\r\n",
        ";a=b\r\n",
        "1\n",
        "1\r\r",
        "1\rx",
        "1\r\nab",
        "1\r\na\n",
        "1\r\na\rx",
        "1g\r\n",
        "1;a\n",
        std::string("1;\0\r\n", 5),
        "ffffffffffffffff\r\n",
        "10000000000000000\r\n",
        "2000000000000000\r\n",
        "0\r\nX: y\n",
        "0\r\n X: y\r\n",
        "0\r\nX: y\r\n\rx",
        "0\r\n\rx",
        "0\r\n\n",
        "1;" + std::string(20'000, 'x'),
        std::string(20'000, '0'),
        "0\r\n" + std::string(20'000, 'x'),
    };
    for (const std::string& row : rows) {
        for (const std::size_t part : {std::size_t{1}, row.size()}) {
            EXPECT_EQ(decode(chunked(), row, part).error, Errc::bad_chunk)
                << testing::PrintToString(row.substr(0, 40));
        }
    }
}

TEST(BodyDecoderTest, EndsAPlainBodyAtItsLength) {
    const Outcome outcome = decode(BodyDecoder::of(Framing::length, 5), "hellonext", 3);
    EXPECT_EQ(outcome.body, "hello");
    EXPECT_TRUE(outcome.is_done);
    EXPECT_EQ(outcome.rest, "next");
    EXPECT_TRUE(BodyDecoder::of(Framing::length, 0).is_done());
    EXPECT_TRUE(BodyDecoder{}.is_done());
}

TEST(BodyDecoderTest, EndsByCloseOnlyWhereThatIsTheEnd) {
    BodyDecoder open = BodyDecoder::of(Framing::until_close, 0);
    EXPECT_FALSE(open.is_done());
    EXPECT_FALSE(open.on_close());
    EXPECT_TRUE(open.is_done());
    EXPECT_EQ(chunked().on_close(), Errc::partial_message);
    EXPECT_EQ(BodyDecoder::of(Framing::length, 1).on_close(), Errc::partial_message);
}

}  // namespace
}  // namespace sluice::http
