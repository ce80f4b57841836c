#include "redis/pipeline.hpp"

#include "redis/error.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <optional>

namespace sluice::redis {
namespace {

using namespace std::chrono_literals;

struct Caller final : Pipeline::Waiter {
    void end(Result<Reply> reply) override {
        ++told;
        result = std::move(reply);
        if (then) then();
    }
    int told = 0;
    std::optional<Result<Reply>> result;
    std::function<void()> then;
};

const SteadyTime kStart = SteadyTime{} + 1h;

TEST(PipelineTest, GivesRepliesInTheOrderOfTheCalls) {
    Pipeline pipeline;
    Caller first;
    Caller second;
    pipeline.push(&first, kStart + 50ms, kStart);
    pipeline.push(&second, kStart + 50ms, kStart);
    EXPECT_TRUE(pipeline.answer(Reply::of_integer(1)));
    EXPECT_TRUE(pipeline.answer(Reply::of_integer(2)));
    EXPECT_EQ((*first.result)->integer(), 1);
    EXPECT_EQ((*second.result)->integer(), 2);
    EXPECT_FALSE(pipeline.answer(Reply::of_integer(3)));
}

TEST(PipelineTest, SwallowsTheReplyOfACallThatWasGivenUp) {
    Pipeline pipeline;
    Caller late;
    Caller patient;
    pipeline.push(&late, kStart + 10ms, kStart);
    pipeline.push(&patient, kStart + 90ms, kStart);
    EXPECT_EQ(pipeline.expire(kStart + 50ms), 1U);
    EXPECT_EQ(late.result->error(), Errc::timed_out);
    pipeline.answer(Reply::of_integer(1));
    EXPECT_EQ(patient.told, 0);
    pipeline.answer(Reply::of_integer(2));
    EXPECT_EQ((*patient.result)->integer(), 2);
    EXPECT_EQ(late.told, 1);
}

TEST(PipelineTest, ExpiresByDeadlineNotByOrder) {
    Pipeline pipeline;
    Caller patient;
    Caller hurried;
    pipeline.push(&patient, kStart + 90ms, kStart);
    pipeline.push(&hurried, kStart + 10ms, kStart);
    EXPECT_EQ(pipeline.next_deadline(), kStart + 10ms);
    pipeline.expire(kStart + 10ms);
    EXPECT_EQ(hurried.told, 1);
    EXPECT_EQ(patient.told, 0);
    EXPECT_EQ(pipeline.next_deadline(), kStart + 90ms);
}

TEST(PipelineTest, TellsEveryWaiterThatTheConnectionIsLost) {
    Pipeline pipeline;
    Caller first;
    Caller second;
    pipeline.push(&first, kStart, kStart);
    pipeline.push(nullptr, kStart, kStart);
    pipeline.push(&second, kStart, kStart);
    pipeline.fail_all(Errc::disconnected);
    EXPECT_EQ(first.result->error(), Errc::disconnected);
    EXPECT_TRUE(is_outcome_unknown(second.result->error()));
    EXPECT_EQ(pipeline.unanswered(), 0U);
}

TEST(PipelineTest, TakesNewCallsFromACallerThatIsBeingTold) {
    Pipeline pipeline;
    Caller first;
    Caller again;
    first.then = [&] { pipeline.push(&again, kStart, kStart); };
    pipeline.push(&first, kStart, kStart);
    pipeline.answer(Reply{});
    EXPECT_EQ(pipeline.unanswered(), 1U);
    pipeline.answer(Reply{});
    EXPECT_EQ(again.told, 1);
}

TEST(PipelineTest, ForgetsACallerThatWentAway) {
    Pipeline pipeline;
    Caller gone;
    pipeline.push(&gone, kStart, kStart);
    pipeline.forget(&gone);
    EXPECT_EQ(pipeline.next_deadline(), SteadyTime::max());
    EXPECT_TRUE(pipeline.answer(Reply{}));
    EXPECT_EQ(gone.told, 0);
}

TEST(PipelineTest, RefusesMoreThanItsBound) {
    Pipeline pipeline{2};
    Caller caller;
    EXPECT_TRUE(pipeline.push(&caller, kStart, kStart));
    EXPECT_TRUE(pipeline.push(nullptr, kStart, kStart));
    EXPECT_FALSE(pipeline.push(&caller, kStart, kStart));
}

}  // namespace
}  // namespace sluice::redis
