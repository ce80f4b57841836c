#include "openai/sse.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::openai {
namespace {

struct Seen {
    std::vector<std::string> events;  // bytes; of an oversize event all its pieces
    std::vector<std::string> data;
    std::string relayed;
    bool operator==(const Seen&) const = default;
};

class Collector {
 public:
    explicit Collector(std::size_t max_event = SseSplitter::kMaxEvent) : splitter_{max_event} {}

    void feed(std::string_view piece) {
        splitter_.feed(piece);
        while (const std::optional<SseEvent> event = splitter_.next()) take(*event);
    }
    Seen finish() {
        if (const std::optional<SseEvent> event = splitter_.finish()) take(*event);
        return seen_;
    }

 private:
    void take(const SseEvent& event) {
        seen_.relayed += event.bytes;
        oversize_ += event.bytes;
        if (!event.is_end) return;
        seen_.events.push_back(oversize_);
        seen_.data.emplace_back(event.is_oversize ? "(oversize)" : event.data);
        oversize_.clear();
    }

    SseSplitter splitter_;
    Seen seen_;
    std::string oversize_;
};

Seen see_whole(std::string_view stream, std::size_t max_event = SseSplitter::kMaxEvent) {
    Collector collector{max_event};
    collector.feed(stream);
    return collector.finish();
}

TEST(SseTest, FindsEventsAndTheirDataWithEveryLineEnding) {
    using Texts = std::vector<std::string>;
    struct Row {
        const char* name;
        const char* stream;
        Texts events;
        Texts data;
    };
    const Row rows[] = {
        {"nothing", "", {}, {}},
        {"LF", "data: a\n\ndata: b\n\n", {"data: a\n\n", "data: b\n\n"}, {"a", "b"}},
        {"CRLF",
         "data: a\r\n\r\ndata: b\r\n\r\n",
         {"data: a\r\n\r\n", "data: b\r\n\r\n"},
         {"a", "b"}},
        {"CR", "data: a\r\rdata: b\r\r", {"data: a\r\r", "data: b\r\r"}, {"a", "b"}},
        {"mixed", "data: a\n\r\ndata: b\r\n\n", {"data: a\n\r\n", "data: b\r\n\n"}, {"a", "b"}},
        {"LF then CR", "data: a\n\rdata: b\n\n", {"data: a\n\r", "data: b\n\n"}, {"a", "b"}},
        {"no space", "data:a\n\n", {"data:a\n\n"}, {"a"}},
        {"two spaces", "data:  a\n\n", {"data:  a\n\n"}, {" a"}},
        {"several lines", "data: a\ndata\ndata: b\n\n", {"data: a\ndata\ndata: b\n\n"}, {"a\n\nb"}},
        {"event and id",
         "event: x\nid: 1\ndata: a\nretry: 5\n\n",
         {"event: x\nid: 1\ndata: a\nretry: 5\n\n"},
         {"a"}},
        {"comment", ": ping\n\ndata: a\n\n", {": ping\n\n", "data: a\n\n"}, {"", "a"}},
        {"blank lines", "\n\ndata: a\n\n\n", {"\n", "\n", "data: a\n\n", "\n"}, {"", "", "a", ""}},
        {"other field", "database: a\n\n", {"database: a\n\n"}, {""}},
        {"byte order mark",
         "\xEF\xBB\xBF"
         "data: a\n\n",
         {"\xEF\xBB\xBF"
          "data: a\n\n"},
         {"a"}},
        {"cut off", "data: a\n\ndata: b\n", {"data: a\n\n", "data: b\n"}, {"a", "b"}},
        {"cut in a line", "data: a", {"data: a"}, {"a"}},
    };
    for (const Row& row : rows) {
        const Seen seen = see_whole(row.stream);
        EXPECT_EQ(seen.events, row.events) << row.name;
        EXPECT_EQ(seen.data, row.data) << row.name;
        EXPECT_EQ(seen.relayed, row.stream) << row.name;
    }
}

TEST(SseTest, GivesTheSameEventsWhereverTheStreamIsCut) {
    const std::string streams[] = {
        ": hi\n\nevent: x\ndata: {\"a\":1}\n\ndata: [DONE]\n\n",
        "data: a\r\ndata: b\r\n\r\n\r\ndata: c\r\n\r\n",
        "data: a\rdata: b\r\r\rdata: c\r\r",
        "data: a\n\r\n\r\n\n\r\r\n\n\rdata: b\r\n\r",
        "\r\n\r\ndata: long enough to be over a bound of twelve\n\ndata: b\n\n",
    };
    for (const std::string& stream : streams) {
        for (const std::size_t max_event : {std::size_t{12}, SseSplitter::kMaxEvent}) {
            const Seen whole = see_whole(stream, max_event);
            EXPECT_EQ(whole.relayed, stream);
            for (std::size_t a = 0; a <= stream.size(); ++a) {
                for (std::size_t b = a; b <= stream.size(); ++b) {
                    Collector collector{max_event};
                    collector.feed(std::string_view{stream}.substr(0, a));
                    collector.feed(std::string_view{stream}.substr(a, b - a));
                    collector.feed(std::string_view{stream}.substr(b));
                    ASSERT_EQ(collector.finish(), whole) << stream << " at " << a << ", " << b;
                }
            }
        }
    }
}

TEST(SseTest, AnEventIsThereWithItsBlankLineAndNotLater) {
    struct Row {
        const char* name;
        const char* event;
    };
    const Row rows[] = {{"LF", "data: a\n\n"}, {"CRLF", "data: a\r\n\r\n"}, {"CR", "data: a\r\r"}};
    for (const Row& row : rows) {
        SseSplitter splitter;
        const std::string_view event{row.event};
        splitter.feed(event.substr(0, event.size() - 1));
        EXPECT_FALSE(splitter.next()) << row.name;
        splitter.feed(event.substr(event.size() - 1));
        const std::optional<SseEvent> given = splitter.next();
        ASSERT_TRUE(given) << row.name;
        EXPECT_EQ(given->bytes, event) << row.name;
        EXPECT_FALSE(splitter.next()) << row.name;
    }
}

TEST(SseTest, AnEventInOnePieceIsNotCopied) {
    const std::string piece = "data: a\n\ndata: b\n\n";
    SseSplitter splitter;
    splitter.feed(piece);
    EXPECT_EQ(splitter.next()->bytes.data(), piece.data());
    EXPECT_EQ(splitter.next()->bytes.data(), piece.data() + 9);
}

TEST(SseTest, AnEventThatIsTooLargePassesInPiecesAndIsNotKept) {
    SseSplitter splitter{100};
    const std::string part(60, 'x');
    splitter.feed("data: ");
    EXPECT_FALSE(splitter.next());
    splitter.feed(part);
    EXPECT_FALSE(splitter.next());

    splitter.feed(part);
    std::optional<SseEvent> event = splitter.next();
    ASSERT_TRUE(event);
    EXPECT_TRUE(event->is_oversize);
    EXPECT_FALSE(event->is_end);
    EXPECT_EQ(event->bytes, "data: " + part + part);
    EXPECT_FALSE(splitter.next());

    splitter.feed("end\n\ndata: b\n\n");
    event = splitter.next();
    ASSERT_TRUE(event);
    EXPECT_TRUE(event->is_oversize);
    EXPECT_TRUE(event->is_end);
    EXPECT_EQ(event->bytes, "end\n\n");
    event = splitter.next();
    ASSERT_TRUE(event);
    EXPECT_FALSE(event->is_oversize);
    EXPECT_EQ(event->data, "b");
}

}  // namespace
}  // namespace sluice::openai
