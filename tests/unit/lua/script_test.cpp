#include "contract/test_scripts.hpp"
#include "limits/scripts.hpp"
#include "limits/wire.hpp"
#include "tests/contract/script_contender.hpp"
#include "tests/support/redis_process.hpp"

#include <gtest/gtest.h>

// The scripts at their edges, in a real Redis. What they decide is the contract's matter.
namespace sluice::testing {
namespace {

using namespace std::chrono_literals;
using limits::Amounts;
using limits::Decision;
using limits::Limits;
using limits::Settlement;

const WallTime kStart{1'800'000'000s};

class ScriptTest : public ::testing::Test {
 protected:
    // Calls the production script, with the server's own clock.
    std::string run(const limits::Script& script, const std::string& question) {
        return scripts_.command({"EVAL", std::string{script.text}, "1", scripts_.key(), question});
    }
    std::optional<Decision> acquire_now(milliseconds window, const Amounts& amounts) {
        return limits::wire::unpack_decision(
            run(limits::scripts::kAcquire, limits::wire::pack_acquire(window, {}, amounts))
        );
    }
    long long pttl() { return std::stoll(scripts_.command({"PTTL", scripts_.key()})); }

    RedisProcess redis_;
    ScriptContender scripts_{redis_.port(), 60s};
};

TEST_F(ScriptTest, UsesTheClockOfTheServer) {
    const WallTime before = wall_now();
    const auto decision = acquire_now(60s, {1, 2, 3});
    ASSERT_TRUE(decision && decision->is_admitted);
    const WallTime label{milliseconds{decision->slot.label_ms}};
    EXPECT_GE(label, before - 1s);
    EXPECT_LE(label, wall_now() + 1s);
}

TEST_F(ScriptTest, LetsTheKeyExpireTwoWindowsAfterItsLastUse) {
    ASSERT_TRUE(acquire_now(60s, {1, 2, 3}));
    EXPECT_GT(pttl(), 90'000);
    EXPECT_LE(pttl(), 120'000);
    // A longer window asks for a longer life at once.
    ASSERT_TRUE(acquire_now(600s, {1, 2, 3}));
    EXPECT_GT(pttl(), 900'000);
    const Settlement debit{{}, {}, {0, 0, 5}};
    scripts_.command({"DEL", scripts_.key()});
    run(limits::scripts::kSettle, limits::wire::pack_settle(60s, std::span{&debit, 1}));
    EXPECT_GT(pttl(), 90'000);
}

TEST_F(ScriptTest, DropsWhatHasLeftNowAndThen) {
    for (int i = 0; i < 400; ++i) {
        scripts_.set_time(kStart + i * 1s);
        ASSERT_TRUE(scripts_.acquire({}, {1, 1, 1}).is_admitted);
    }
    const std::string value = scripts_.command({"GET", scripts_.key()});
    EXPECT_LT(value.size(), 64u * 24 * 4 + 92 + 24 * 8);
    EXPECT_EQ(scripts_.peek().used.requests, 60);
}

TEST_F(ScriptTest, WritesNothingWhenItDeniesOrLooks) {
    scripts_.set_time(kStart);
    const Limits limits{1, {}, {}};
    ASSERT_TRUE(scripts_.acquire(limits, {1, 0, 0}).is_admitted);
    const std::string before = scripts_.command({"GET", scripts_.key()});
    scripts_.set_time(kStart + 59s);
    EXPECT_FALSE(scripts_.acquire(limits, {1, 0, 0}).is_admitted);
    EXPECT_EQ(scripts_.peek().used.requests, 1);
    EXPECT_EQ(scripts_.command({"GET", scripts_.key()}), before);
}

TEST_F(ScriptTest, SettlesNothingInALogThatWasFlushed) {
    scripts_.set_time(kStart + 1us);
    const Decision first = scripts_.acquire({}, {1, 100, 100});
    scripts_.command({"DEL", scripts_.key()});
    const Settlement refund{first.slot, {1, 100, 100}, {}};
    EXPECT_EQ(scripts_.settle_all(std::span{&refund, 1}), 0);
    EXPECT_EQ(scripts_.command({"EXISTS", scripts_.key()}), "0");

    scripts_.set_time(kStart + 2us);  // born in the same millisecond
    const Decision second = scripts_.acquire({}, {1, 100, 100});
    EXPECT_EQ(first.slot.label_ms, second.slot.label_ms);
    EXPECT_EQ(scripts_.settle_all(std::span{&refund, 1}), 0);
    EXPECT_EQ(scripts_.peek().used, (Amounts{1, 100, 100}));
}

TEST_F(ScriptTest, ChargesWhatWasUsedBeyondEvenWhenEverythingHasExpired) {
    scripts_.set_time(kStart);
    const Decision first = scripts_.acquire({}, {1, 100, 100});
    scripts_.set_time(kStart + 61s);
    const Settlement settlement{first.slot, {1, 100, 100}, {1, 50, 400}};
    EXPECT_EQ(scripts_.settle_all(std::span{&settlement, 1}), 0);
    EXPECT_EQ(scripts_.peek().used, (Amounts{0, 0, 300}));
}

TEST_F(ScriptTest, SettlesManyAtOnce) {
    std::vector<Settlement> settlements;
    for (int i = 0; i < 64; ++i) {
        scripts_.set_time(kStart + i * 1ms);
        const Decision decision = scripts_.acquire({}, {1, 100, 100});
        settlements.push_back({decision.slot, {1, 100, 100}, {1, 90, 10}});
    }
    EXPECT_EQ(scripts_.settle_all(settlements), 64);
    EXPECT_EQ(scripts_.peek().used, (Amounts{64, 64 * 90, 64 * 10}));
    EXPECT_EQ(scripts_.audit(), scripts_.peek().used);
}

TEST_F(ScriptTest, CountsUpToTheEndWithoutALimit) {
    Decision last;
    for (int i = 0; i < 400; ++i) {
        scripts_.set_time(kStart + i * 1ms);
        last = scripts_.acquire({}, {1, INT64_MAX, 0});
        ASSERT_TRUE(last.is_admitted);
    }
    EXPECT_EQ(last.usage.used.input_tokens, (std::int64_t{1} << 48) - 1);
    EXPECT_EQ(scripts_.audit(), last.usage.used);
    scripts_.set_time(kStart + 2min);
    EXPECT_EQ(scripts_.peek().used, Amounts{});
}

TEST_F(ScriptTest, StaysCorrectOverManyBlocksAndAnInstantInWhichAllLeaves) {
    for (int i = 0; i < 5000; ++i) {
        scripts_.set_time(kStart + i * 1ms);
        ASSERT_TRUE(scripts_.acquire({}, {1, 2, 3}).is_admitted);
    }
    EXPECT_EQ(scripts_.audit(), (Amounts{5000, 10'000, 15'000}));
    // What has to leave is far behind: the sums of the blocks lead there.
    scripts_.set_time(kStart + 6s);
    const Decision denied = scripts_.acquire({5000, {}, {}}, {4000, 0, 0});
    ASSERT_FALSE(denied.is_admitted);
    EXPECT_EQ(denied.retry_after, 60s + 3999ms - 6s);
    scripts_.set_time(kStart + 60s + 3998ms);
    EXPECT_FALSE(scripts_.acquire({5000, {}, {}}, {4000, 0, 0}).is_admitted);
    scripts_.set_time(kStart + 60s + 3999ms);
    EXPECT_TRUE(scripts_.acquire({5000, {}, {}}, {4000, 0, 0}).is_admitted);
    EXPECT_EQ(scripts_.audit(), (Amounts{5000, 2000, 3000}));
    scripts_.set_time(kStart + 3min);
    EXPECT_EQ(scripts_.acquire({}, {1, 1, 1}).usage.used, (Amounts{1, 1, 1}));
    EXPECT_EQ(scripts_.audit(), (Amounts{1, 1, 1}));
}

TEST_F(ScriptTest, StandsStillWhileTheClockIsBehindAndForgetsNothingWhenItIsFarBehind) {
    const Limits limits{10, {}, {}};
    scripts_.set_time(kStart);
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(scripts_.acquire(limits, {1, 0, 0}).is_admitted);
    scripts_.set_time(kStart - 30s);
    EXPECT_EQ(scripts_.acquire(limits, {1, 0, 0}).retry_after, 60s);
    scripts_.set_time(kStart - 24h);
    EXPECT_EQ(scripts_.acquire(limits, {1, 0, 0}).retry_after, 60s);
    scripts_.set_time(kStart - 24h + 60s);
    EXPECT_TRUE(scripts_.acquire(limits, {1, 0, 0}).is_admitted);
}

TEST_F(ScriptTest, SaysSoWhenTheKeyIsSomethingElse) {
    scripts_.command({"HSET", scripts_.key(), "a", "b"});
    EXPECT_TRUE(
        run(limits::scripts::kPeek, limits::wire::pack_peek(60s)).find("WRONGTYPE") !=
        std::string::npos
    );
}

TEST_F(ScriptTest, CopiesToAReplicaWhatItDecides) {
    RedisProcess replica{{.replica_of_port = redis_.port()}};
    ASSERT_TRUE(replica.wait_for({"INFO", "replication"}, "master_link_status:up"));
    ASSERT_TRUE(acquire_now(60s, {1, 2, 3}));
    ASSERT_TRUE(replica.wait_for({"EXISTS", scripts_.key()}, "1"));
    EXPECT_TRUE(
        replica.wait_for({"STRLEN", scripts_.key()}, scripts_.command({"STRLEN", scripts_.key()}))
    );
    EXPECT_GT(std::stoll(replica.command({"PTTL", scripts_.key()})), 60'000);
}

}  // namespace
}  // namespace sluice::testing
