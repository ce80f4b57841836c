#include "kube/watch.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::kube {
namespace {

constexpr std::string_view kStream =
    R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"11"}}})"
    "\n"
    R"({"type":"MODIFIED","object":{"metadata":{"name":"ä\n\"{","resourceVersion":"12"}}})"
    "\r\n\n"
    R"({"type":"DELETED","object":{"metadata":{"name":"a","resourceVersion":"13"}}})"
    "\n"
    R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"14"}}})"
    "\n"
    R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}})"
    "\n";

std::string told(const std::vector<WatchEvent>& events) {
    std::string out;
    for (const WatchEvent& event : events) {
        out += std::to_string(static_cast<int>(event.kind)) + ":" +
               metadata_of(event.object).resource_version + ":" + metadata_of(event.object).name +
               (event.kind == WatchKind::error ? std::to_string(event.status.code) : "") + " ";
    }
    return out;
}

std::string all_at_once() {
    WatchParser parser;
    std::vector<WatchEvent> events;
    EXPECT_FALSE(parser.feed(kStream, events));
    EXPECT_FALSE(parser.is_inside_event());
    return told(events);
}

TEST(WatchParserTest, ReadsEveryKindOfEvent) {
    EXPECT_EQ(all_at_once(), "0:11:a 1:12:ä\n\"{ 2:13:a 3:14: 4::410 ");
}

TEST(WatchParserTest, ReadsTheSameHoweverTheBytesAreSplit) {
    const std::string whole = all_at_once();
    for (std::size_t cut = 0; cut <= kStream.size(); ++cut) {
        for (const std::size_t second : {cut, std::min(cut + 1, kStream.size()), kStream.size()}) {
            WatchParser parser;
            std::vector<WatchEvent> events;
            ASSERT_FALSE(parser.feed(kStream.substr(0, cut), events));
            ASSERT_FALSE(parser.feed(kStream.substr(cut, second - cut), events));
            ASSERT_FALSE(parser.feed(kStream.substr(second), events));
            ASSERT_EQ(told(events), whole) << "cut at " << cut;
        }
    }
}

TEST(WatchParserTest, ReadsOneByteAtATime) {
    WatchParser parser;
    std::vector<WatchEvent> events;
    for (const char byte : kStream) ASSERT_FALSE(parser.feed({&byte, 1}, events));
    EXPECT_EQ(told(events), all_at_once());
}

TEST(WatchParserTest, SaysWhenAnErrorInsideTheStreamMeansThatTheVersionIsGone) {
    for (const std::string_view object : {
             R"({"kind":"Status","code":410,"reason":"Expired"})",
             R"({"kind":"Status","code":410,"reason":"Gone"})",
             R"({"kind":"Status","code":410})",
             R"({"kind":"Status","reason":"Expired"})",
         }) {
        WatchParser parser;
        std::vector<WatchEvent> events;
        const std::string line = R"({"type":"ERROR","object":)" + std::string{object} + "}\n";
        ASSERT_FALSE(parser.feed(line, events));
        EXPECT_EQ(events.at(0).status.errc(), Errc::gone) << object;
    }
}

TEST(WatchParserTest, RefusesWhatIsNoEvent) {
    for (const std::string_view line : {
             "garbage\n",
             "[]\n",
             "{}\n",
             "null\n",
             "{\"type\":\"ADDED\"}\n",
             "{\"type\":\"ADDED\",\"object\":[]}\n",
             "{\"type\":\"ODD\",\"object\":{}}\n",
             "{\"type\":7,\"object\":{}}\n",
             "{\"type\":\"ADDED\",\"object\":{}\n",
         }) {
        WatchParser parser;
        std::vector<WatchEvent> events;
        EXPECT_EQ(parser.feed(line, events), Errc::bad_answer) << line;
    }
}

TEST(WatchParserTest, TakesNoMoreMemoryThanTheLongestLine) {
    WatchParser parser{100};
    std::vector<WatchEvent> events;
    EXPECT_FALSE(parser.feed(std::string(100, ' '), events));
    EXPECT_EQ(parser.feed(" ", events), Errc::watch_line_too_long);
    EXPECT_EQ(
        WatchParser{100}.feed(std::string(101, ' ') + "\n", events), Errc::watch_line_too_long
    );
}

}  // namespace
}  // namespace sluice::kube
