#include "http/decode.hpp"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>

namespace sluice::http {
namespace {

std::string deflated(const std::string& text, int window_bits) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, text.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
}
std::string gzipped(const std::string& text) {
    return deflated(text, 15 + 16);
}
std::string zstandard(const std::string& text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
}

const std::string kText = [] {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i) + "\n";
    return text;
}();

TEST(DecodeTest, UndoesEveryCodingItNames) {
    EXPECT_EQ(*decode_body(kText, "", kText.size()), kText);
    EXPECT_EQ(*decode_body(kText, "identity", kText.size()), kText);
    EXPECT_EQ(*decode_body(gzipped(kText), "gzip", kText.size()), kText);
    EXPECT_EQ(*decode_body(gzipped(kText), "X-GZip", kText.size()), kText);
    EXPECT_EQ(*decode_body(deflated(kText, 15), "deflate", kText.size()), kText);
    EXPECT_EQ(*decode_body(deflated(kText, -15), "deflate", kText.size()), kText);
    EXPECT_EQ(*decode_body(zstandard(kText), "zstd", kText.size()), kText);
    EXPECT_EQ(*decode_body(zstandard(gzipped(kText)), "gzip, zstd", kText.size()), kText);
    EXPECT_EQ(*decode_body(gzipped("a") + gzipped("b"), "gzip", 10), "ab");
    EXPECT_EQ(*decode_body(zstandard("a") + zstandard("b"), "zstd", 10), "ab");
    EXPECT_EQ(*decode_body(gzipped(""), "gzip", 0), "");
}

TEST(DecodeTest, TakesAnyCutOfTheInput) {
    const std::string text = kText.substr(0, 3000);
    for (const Coding coding : {Coding::gzip, Coding::deflate, Coding::zstd}) {
        const std::string coded = coding == Coding::gzip      ? gzipped(text)
                                  : coding == Coding::deflate ? deflated(text, 15)
                                                              : zstandard(text);
        Decoder bytewise{coding, text.size()};
        std::string out;
        for (const char byte : coded) {
            EXPECT_EQ(bytewise.finish(), Errc::bad_coding);
            ASSERT_FALSE(bytewise.feed(std::string_view{&byte, 1}, out));
        }
        EXPECT_FALSE(bytewise.finish());
        EXPECT_EQ(out, text);
    }
}

TEST(DecodeTest, StopsAtTheBoundHoweverSmallTheBomb) {
    const std::string zeros(4 << 20, '\0');
    for (const auto& [coded, name] :
         {std::pair{gzipped(zeros), "gzip"},
          std::pair{zstandard(zeros), "zstd"},
          std::pair{deflated(zeros, 15), "deflate"}}) {
        EXPECT_EQ(decode_body(coded, name, 1 << 20).error(), Errc::body_too_large) << name;
        EXPECT_EQ(decode_body(coded, name, zeros.size() - 1).error(), Errc::body_too_large);
        EXPECT_EQ(decode_body(coded, name, zeros.size())->size(), zeros.size()) << name;
    }
    EXPECT_EQ(decode_body("abc", "", 2).error(), Errc::body_too_large);
}

TEST(DecodeTest, RefusesWhatIsUnknownOrBroken) {
    EXPECT_EQ(decode_body("x", "br", 10).error(), Errc::unsupported_coding);
    EXPECT_EQ(decode_body("x", "gzip, br", 10).error(), Errc::unsupported_coding);
    EXPECT_EQ(decode_body("x", "gzip, gzip, gzip, gzip", 10).error(), Errc::unsupported_coding);
    for (const std::string name : {"gzip", "deflate", "zstd"}) {
        EXPECT_EQ(decode_body("this is no such thing", name, 100).error(), Errc::bad_coding)
            << name;
        EXPECT_EQ(decode_body("", name, 100).error(), Errc::bad_coding) << name;
    }
    const std::string gzip = gzipped(kText);
    const std::string zstd = zstandard(kText);
    EXPECT_EQ(
        decode_body(gzip.substr(0, gzip.size() - 1), "gzip", kText.size()).error(), Errc::bad_coding
    );
    EXPECT_EQ(
        decode_body(zstd.substr(0, zstd.size() - 1), "zstd", kText.size()).error(), Errc::bad_coding
    );
    EXPECT_EQ(decode_body(gzip + "tail", "gzip", kText.size()).error(), Errc::bad_coding);
}

}  // namespace
}  // namespace sluice::http
