#include "limits/deny_memory.hpp"

#include <gtest/gtest.h>

namespace sluice::limits {
namespace {

using namespace std::chrono_literals;

const SteadyTime kNow{1h};
const Limits kLimits{10, 1000, 1000};

Decision denied(Dimension dimension, milliseconds retry_after) {
    Decision decision;
    decision.denied_by = dimension;
    decision.retry_after = retry_after;
    decision.usage.used = {10, 900, 900};
    decision.usage.empty_in = {60s, 60s, 60s};
    return decision;
}

TEST(DenyMemoryTest, DeniesRequestsUntilTheInstantTheStoreNamed) {
    DenyMemory memory;
    memory.remember("a", kLimits, {1, 10, 10}, denied(Dimension::requests, 5s), kNow);

    const auto answer = memory.recall("a", kLimits, {1, 1, 1}, kNow + 4s);
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->is_admitted);
    EXPECT_EQ(answer->denied_by, Dimension::requests);
    EXPECT_EQ(answer->retry_after, 1s);
    EXPECT_EQ(answer->usage.empty_in[0], 56s);
    EXPECT_EQ(answer->usage.used, (Amounts{10, 900, 900}));

    EXPECT_FALSE(memory.recall("a", kLimits, {1, 1, 1}, kNow + 5s));
    EXPECT_EQ(memory.size(), 0u);
}

TEST(DenyMemoryTest, DeniesTokensForAMomentOnlySinceARefundMayCome) {
    DenyMemory memory;
    memory.remember("a", kLimits, {1, 200, 10}, denied(Dimension::input_tokens, 5s), kNow);

    EXPECT_TRUE(memory.recall("a", kLimits, {1, 200, 10}, kNow + 249ms));
    EXPECT_FALSE(memory.recall("a", kLimits, {1, 200, 10}, kNow + 250ms));
}

TEST(DenyMemoryTest, DeniesTheSameOrALargerAmountOnly) {
    DenyMemory memory;
    memory.remember("a", kLimits, {1, 200, 500}, denied(Dimension::input_tokens, 5s), kNow);

    EXPECT_TRUE(memory.recall("a", kLimits, {1, 200, 0}, kNow));
    EXPECT_TRUE(memory.recall("a", kLimits, {1, 201, 500}, kNow));
    EXPECT_FALSE(memory.recall("a", kLimits, {1, 199, 500}, kNow));
    EXPECT_FALSE(memory.recall("b", kLimits, {1, 200, 500}, kNow));
}

TEST(DenyMemoryTest, ForgetsWhenTheLimitsChange) {
    DenyMemory memory;
    memory.remember("a", kLimits, {1, 10, 10}, denied(Dimension::requests, 5s), kNow);
    EXPECT_FALSE(memory.recall("a", {11, 1000, 1000}, {1, 10, 10}, kNow));
    EXPECT_FALSE(memory.recall("a", kLimits, {1, 10, 10}, kNow));
}

TEST(DenyMemoryTest, AnswersWithTheLongestOfItsWaits) {
    DenyMemory memory;
    memory.remember("a", kLimits, {1, 900, 10}, denied(Dimension::input_tokens, 9s), kNow);
    memory.remember("a", kLimits, {1, 10, 10}, denied(Dimension::requests, 5s), kNow);

    const auto large = memory.recall("a", kLimits, {1, 950, 10}, kNow);
    const auto small = memory.recall("a", kLimits, {1, 1, 10}, kNow);
    ASSERT_TRUE(large && small);
    EXPECT_EQ(large->denied_by, Dimension::input_tokens);
    EXPECT_EQ(small->denied_by, Dimension::requests);
}

TEST(DenyMemoryTest, SaysOfALargerAmountThatItCanNeverFit) {
    DenyMemory memory;
    memory.remember("a", kLimits, {1, 900, 10}, denied(Dimension::input_tokens, 9s), kNow);
    const auto answer = memory.recall("a", kLimits, {1, 1001, 10}, kNow);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->fits_never);
}

TEST(DenyMemoryTest, KeepsNothingOfAdmissionsAndNoMoreSubjectsThanAllowed) {
    DenyMemory memory{2};
    Decision admitted;
    admitted.is_admitted = true;
    memory.remember("a", kLimits, {1, 1, 1}, admitted, kNow);
    EXPECT_EQ(memory.size(), 0u);

    for (const char* subject : {"a", "b", "c"}) {
        memory.remember(subject, kLimits, {1, 1, 1}, denied(Dimension::requests, 5s), kNow);
    }
    EXPECT_EQ(memory.size(), 2u);
    EXPECT_FALSE(memory.recall("a", kLimits, {1, 1, 1}, kNow));
    EXPECT_TRUE(memory.recall("c", kLimits, {1, 1, 1}, kNow));
    memory.forget("c");
    EXPECT_FALSE(memory.recall("c", kLimits, {1, 1, 1}, kNow));
}

}  // namespace
}  // namespace sluice::limits
