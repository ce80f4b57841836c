#include "telemetry/access_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace sluice::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Written {
    std::vector<std::string> lines;
    Log log{LogLevel::info, [this](std::string_view line) { lines.emplace_back(line); }};
};

AccessRecord good(std::string_view id = "req-1") {
    AccessRecord record;
    record.request_id = id;
    record.subject = "team-a/chatbot";
    record.model = "gpt-4o";
    record.endpoint = "chat_completions";
    record.method = "POST";
    record.path = "/v1/chat/completions";
    record.client = "10.0.0.1";
    record.status = 200;
    record.outcome = "ok";
    return record;
}

TEST(AccessLogTest, WritesOneLineWithEverything) {
    Written written;
    AccessLog log{written.log, AccessLogOptions()};
    AccessRecord record = good();
    record.is_streamed = true;
    record.input_tokens_reserved = 10;
    record.output_tokens_reserved = 20;
    record.input_tokens_used = 11;
    record.output_tokens_used = 7;
    record.bytes_in = 100;
    record.bytes_out = 200;
    record.total = microseconds{12'345};
    record.decision = microseconds{250};
    record.upstream_status = 200;
    log.write(record);

    ASSERT_EQ(written.lines.size(), 1U);
    EXPECT_THAT(
        written.lines[0],
        HasSubstr(
            R"("level":"info","message":"request","requestId":"req-1","client":"10.0.0.1",)"
            R"("subject":"team-a/chatbot","method":"POST","path":"/v1/chat/completions",)"
            R"("endpoint":"chat_completions","model":"gpt-4o","status":200,"outcome":"ok",)"
            R"("deniedBy":"","streamed":true,"inputTokensReserved":10,"outputTokensReserved":20,)"
            R"("inputTokens":11,"outputTokens":7,"estimated":false,"upstreamStatus":200,)"
            R"("admittedMs":0,"bytesIn":100,"bytesOut":200,"totalMs":12.345,"decisionMs":0.25,)"
            R"("firstByteMs":null})"
            "\n"
        )
    );
}

TEST(AccessLogTest, WhatCallersWriteIsCutAndCleaned) {
    Written written;
    AccessLog log{written.log, AccessLogOptions()};
    const std::string model = std::string(60, 'm') + "\r\n\x01" + std::string(100'000, 'x');
    AccessRecord record = good();
    record.model = model;
    record.path = "/v1/files?api_key=sk-secret";
    log.write(record);

    ASSERT_EQ(written.lines.size(), 1U);
    EXPECT_LT(written.lines[0].size(), 1'000U);
    EXPECT_THAT(written.lines[0], HasSubstr("mmm???x\xE2\x80\xA6\""));
    EXPECT_THAT(written.lines[0], HasSubstr(R"("path":"/v1/files")"));
    EXPECT_THAT(written.lines[0], Not(HasSubstr("secret")));
}

TEST(AccessLogTest, CutsBetweenCharacters) {
    EXPECT_EQ(cleaned("ab\xC3\xA9", 3), "ab\xE2\x80\xA6");
    EXPECT_EQ(cleaned("ab\xC3\xA9", 4), "ab\xC3\xA9");
}

struct Row {
    const char* name;
    RequestLog requests;
    int status;
    bool is_denied;
    bool is_error;
    bool expected;  // with sample: 0
};

class WantedTest : public testing::TestWithParam<Row> {};

TEST_P(WantedTest, WithNothingSampled) {
    const Row& row = GetParam();
    Written written;
    AccessRecord record = good();
    record.status = row.status;
    record.is_denied = row.is_denied;
    record.is_error = row.is_error;
    const AccessLog log{written.log, {row.requests, 0.0}};
    EXPECT_EQ(log.is_wanted(record), row.expected);
}

INSTANTIATE_TEST_SUITE_P(
    Rows,
    WantedTest,
    testing::Values(
        Row{"GoodIsSampledOut", RequestLog::all, 200, false, false, false},
        Row{"DenialIsSampledOut", RequestLog::all, 429, true, false, false},
        Row{"UpstreamsOwn429IsAnError", RequestLog::all, 429, false, false, true},
        Row{"ErrorNever", RequestLog::all, 503, false, false, true},
        Row{"RefusalNever", RequestLog::errors, 401, false, false, true},
        Row{"BrokenStreamNever", RequestLog::all, 200, false, true, true},
        Row{"NoAnswerNever", RequestLog::all, 0, false, false, true},
        Row{"OffIsOff", RequestLog::off, 503, false, true, false}
    ),
    [](const auto& row) { return row.param.name; }
);

TEST(AccessLogTest, ErrorsAloneMeansDenialsToo) {
    Written written;
    const AccessLog log{written.log, {RequestLog::errors, 1.0}};
    AccessRecord record = good();
    EXPECT_FALSE(log.is_wanted(record));
    record.status = 429;
    record.is_denied = true;
    EXPECT_TRUE(log.is_wanted(record));
}

TEST(AccessLogTest, SamplesTheShareItWasToldAlwaysTheSame) {
    Written written;
    const AccessLog log{written.log, {RequestLog::all, 0.25}};
    int wanted = 0;
    for (int i = 0; i < 10'000; ++i) {
        const std::string id = "req-" + std::to_string(i);
        const bool is_wanted = log.is_wanted(good(id));
        EXPECT_EQ(is_wanted, log.is_wanted(good(id)));
        wanted += is_wanted ? 1 : 0;
    }
    EXPECT_NEAR(wanted, 2'500, 250);
}

TEST(AccessLogTest, IsQuietWhenTheLogIs) {
    Written written;
    written.log.set_level(LogLevel::warn);
    AccessLog log{written.log, AccessLogOptions()};
    log.write(good());
    EXPECT_TRUE(written.lines.empty());
}

}  // namespace
}  // namespace sluice::telemetry
