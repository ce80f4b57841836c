#include "base/log.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice {
namespace {

std::string line_of(std::string_view message, std::initializer_list<LogField> fields) {
    std::string line;
    Log log{LogLevel::info, [&](std::string_view text) { line = text; }};
    log.write(LogLevel::info, message, fields);
    return line;
}

TEST(LogTest, WritesOneJsonObjectALine) {
    const std::string line = line_of("hello", {{"n", 7}, {"ok", true}, {"who", "a\"b\n"}});

    EXPECT_TRUE(
        line.ends_with(R"(,"level":"info","message":"hello","n":7,"ok":true,"who":"a\"b\n"})"
                       "\n")
    ) << line;
}

TEST(LogTest, NeverShowsASecret) {
    const std::string line = line_of("key", {{"key", Secret{"sk-very-secret"}}});

    EXPECT_EQ(line.find("sk-very"), std::string::npos);
    EXPECT_NE(line.find(R"("key":"***")"), std::string::npos);
}

TEST(LogTest, ReplacesBytesThatAreNoUtf8) {
    std::string out;
    append_json_string(out, "a\xC0\xAF\xED\xA0\x80z\x01");

    EXPECT_EQ(out, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz\\u0001\"");
}

TEST(LogTest, IsSilentBelowItsLevel) {
    int lines = 0;
    Log log{LogLevel::warn, [&](std::string_view) { ++lines; }};

    log.info("no");
    log.warn("yes");

    EXPECT_EQ(lines, 1);
}

}  // namespace
}  // namespace sluice
