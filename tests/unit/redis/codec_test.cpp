#include "redis/codec.hpp"

#include "redis/error.hpp"

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <array>
#include <string>
#include <vector>

namespace sluice::redis {
namespace {

std::vector<Reply> parse_all(std::string_view bytes, std::size_t step) {
    ReplyParser parser;
    std::vector<Reply> replies;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        EXPECT_FALSE(parser.feed(bytes.substr(at, step)));
        for (;;) {
            auto reply = parser.next();
            EXPECT_TRUE(reply.has_value());
            if (!reply || !reply->has_value()) break;
            replies.push_back(std::move(**reply));
        }
    }
    return replies;
}

TEST(CommandTest, IsByteForByteWhatHiredisMakes) {
    const std::string binary{"\0\r\n\xff{}", 6};
    const std::vector<std::vector<std::string>> commands{
        {"PING"}, {"SET", "", binary}, {"EVALSHA", std::string(40, 'a'), "1", "{x}", binary}};
    for (const auto& words : commands) {
        std::vector<std::string_view> views{words.begin(), words.end()};
        std::vector<const char*> pointers;
        std::vector<std::size_t> sizes;
        for (const std::string& word : words) {
            pointers.push_back(word.data());
            sizes.push_back(word.size());
        }
        char* expected = nullptr;
        const int size = redisFormatCommandArgv(
            &expected, static_cast<int>(words.size()), pointers.data(), sizes.data()
        );
        std::string ours;
        append_command(ours, views);
        EXPECT_EQ(ours, std::string(expected, static_cast<std::size_t>(size)));
        redisFreeCommand(expected);
    }
}

TEST(ReplyParserTest, ReadsEveryKindCutAnywhere) {
    using namespace std::string_view_literals;
    const std::string_view bytes =
        "+OK\r\n:-7\r\n$5\r\na\0b\r\n\r\n$-1\r\n-ERR "
        "no\r\n*3\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n+y\r\n"
        "*0\r\n"sv;
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        const std::vector<Reply> replies = parse_all(bytes, step);
        ASSERT_EQ(replies.size(), 7U) << "cut every " << step;
        EXPECT_EQ(replies[0].text(), "OK");
        EXPECT_EQ(replies[1].integer(), -7);
        EXPECT_EQ(replies[2].text(), std::string("a\0b\r\n", 5));
        EXPECT_TRUE(replies[3].is_nil());
        EXPECT_TRUE(replies[4].is_error("ERR"));
        ASSERT_EQ(replies[5].items().size(), 3U);
        EXPECT_EQ(replies[5].items()[0].integer(), 1);
        EXPECT_EQ(replies[5].items()[1].items()[0].text(), "x");
        EXPECT_TRUE(replies[5].items()[1].items()[1].is_nil());
        EXPECT_EQ(replies[5].items()[2].text(), "y");
        EXPECT_TRUE(replies[6].is_array());
    }
}

TEST(ReplyParserTest, RefusesWhatIsNoReply) {
    for (const char* bytes : {"HTTP/1.1 400\r\n", "%1\r\n", "$-2\r\n", "*-2\r\n", ":x\r\n"}) {
        ReplyParser parser;
        EXPECT_FALSE(parser.feed(bytes));
        EXPECT_EQ(parser.next().error(), Errc::bad_reply) << bytes;
        EXPECT_EQ(parser.feed("+OK\r\n"), Errc::bad_reply);
    }
}

TEST(ReplyParserTest, TakesNoMemoryForWhatIsOnlyAnnounced) {
    ReplyParser parser;
    ASSERT_FALSE(parser.feed("*2000000000\r\n"));
    EXPECT_EQ(parser.next().error(), Errc::bad_reply);
}

TEST(ReplyParserTest, CountsItemsOfAllLevelsTogether) {
    ReplyParser parser{{.bytes = 1000, .items = 5}};
    ASSERT_FALSE(parser.feed("*2\r\n*2\r\n:1\r\n:1\r\n*2\r\n"));
    EXPECT_EQ(parser.next().error(), Errc::bad_reply);
}

TEST(ReplyParserTest, BoundsAnUnfinishedReply) {
    ReplyParser parser{{.bytes = 100, .items = 5}};
    ASSERT_FALSE(parser.feed("$1000\r\n"));
    ASSERT_TRUE(parser.next().has_value());
    EXPECT_FALSE(parser.feed(std::string(90, 'x')));
    EXPECT_EQ(parser.feed(std::string(90, 'x')), Errc::bad_reply);
}

TEST(ReplyTest, TellsNumbersInEitherForm) {
    EXPECT_EQ(*to_integer(Reply::of_integer(5)), 5);
    EXPECT_EQ(*to_integer(Reply::of_text("-12")), -12);
    for (const char* text : {"", "x", "1x", " 1", "99999999999999999999"}) {
        EXPECT_FALSE(to_integer(Reply::of_text(text)).has_value()) << text;
    }
    EXPECT_FALSE(to_integer(Reply{}).has_value());
}

TEST(ReplyTest, KnowsAnErrorByItsFirstWordOnly) {
    EXPECT_TRUE(Reply::of_error("NOSCRIPT No matching script").is_error("NOSCRIPT"));
    EXPECT_FALSE(Reply::of_error("NOSCRIPTS").is_error("NOSCRIPT"));
    EXPECT_FALSE(Reply::of_text("NOSCRIPT").is_error("NOSCRIPT"));
}

}  // namespace
}  // namespace sluice::redis
