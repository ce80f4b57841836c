#include "stores/breaker.hpp"
#include "stores/membership.hpp"
#include "stores/own_log.hpp"
#include "stores/settle_queue.hpp"

#include <gtest/gtest.h>

namespace sluice::stores {
namespace {

using namespace std::chrono_literals;
using limits::Amounts;

const SteadyTime kStart = SteadyTime{} + 1h;

TEST(BreakerTest, OpensAfterFailuresInARowAndClosesAtASuccess) {
    Breaker breaker;
    for (int i = 0; i < 4; ++i) breaker.fail(kStart);
    breaker.succeed();
    for (int i = 0; i < 4; ++i) breaker.fail(kStart);
    EXPECT_TRUE(breaker.is_closed());
    breaker.fail(kStart);
    EXPECT_EQ(breaker.state(), Breaker::State::open);
    EXPECT_EQ(breaker.next_probe(), kStart + 50ms);
    breaker.begin_probe();
    breaker.fail(kStart + 50ms);
    EXPECT_EQ(breaker.next_probe(), kStart + 150ms) << "twice as long";
    breaker.begin_probe();
    breaker.succeed();
    EXPECT_TRUE(breaker.is_closed());
}

limits::Settlement settlement(std::uint64_t label, Amounts reserved, Amounts used) {
    limits::Settlement made;
    made.slot = limits::Slot{label, label};
    made.reserved = reserved;
    made.used = used;
    return made;
}

TEST(SettleQueueTest, KeepsOneSumForExcessAndOneForEachSlot) {
    SettleQueue queue;
    for (int i = 0; i < 1'000; ++i) queue.add("s", settlement(7, {0, 3, 0}, {0, 1, 5}));
    EXPECT_EQ(queue.size(), 2U);
    const auto taken = queue.take("s", 64);
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[0].used, (Amounts{0, 0, 5'000}));
    EXPECT_EQ(taken[1].reserved, (Amounts{0, 2'000, 0}));
    EXPECT_EQ(taken[1].slot.label_ms, 7U);
    EXPECT_TRUE(queue.is_empty());
}

TEST(SettleQueueTest, DropsRefundsBeyondItsBoundButNeverWhatWasUsed) {
    SettleQueue queue{2};
    std::size_t dropped = 0;
    for (std::uint64_t slot = 1; slot <= 5; ++slot) {
        dropped += queue.add("s", settlement(slot, {1, 0, 0}, {0, 1, 0}));
    }
    EXPECT_EQ(dropped, 3U);
    EXPECT_EQ(queue.take("s", 64)[0].used.input_tokens, 5);
}

TEST(SettleQueueTest, ForgetsRefundsToSlotsThatAreGone) {
    SettleQueue queue;
    queue.add("s", settlement(5, {1, 0, 0}, {}));
    queue.add("s", settlement(9, {1, 0, 0}, {}));
    EXPECT_EQ(queue.drop_before(9), 1U);
    EXPECT_EQ(queue.take("s", 64).size(), 1U);
    EXPECT_TRUE(queue.is_empty());
}

limits::Limits requests(std::int64_t count) {
    limits::Limits limits;
    limits.requests = count;
    return limits;
}

TEST(OwnLogTest, SharesTheLimitAndAnnouncesWhenItFitsAgain) {
    OwnLog log{3'200ms};
    std::int64_t now = 1'000'000;
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(log.decide(now, requests(10), {1, 0, 0}, 3).is_admitted);
    const auto denied = log.decide(now, requests(10), {1, 0, 0}, 3);
    ASSERT_FALSE(denied.is_admitted);
    now += denied.retry_after.count();
    EXPECT_TRUE(log.decide(now, requests(10), {1, 0, 0}, 3).is_admitted);
}

TEST(OwnLogTest, TakesNoMoreThanItsPartOfWhatWasFreeWhenTheStoreWasLastHeard) {
    OwnLog log{3'200ms};
    const std::int64_t now = 1'000'000;
    log.note_admitted(now, {1, 0, 0});
    log.note_total(now, {8, 0, 0});
    int admitted = 0;
    while (log.decide(now, requests(10), {1, 0, 0}, 2).is_admitted) ++admitted;
    EXPECT_EQ(admitted, 1) << "half of the two that nobody had";
    const std::int64_t later = now + 7'000;
    admitted = 0;
    while (log.decide(later, requests(10), {1, 0, 0}, 2).is_admitted) ++admitted;
    EXPECT_EQ(admitted, 5) << "its share, once the window has passed";
}

TEST(OwnLogTest, OwesWhatItAdmittedAloneOnce) {
    OwnLog log{3'200ms};
    const std::int64_t now = 1'000'000;
    ASSERT_TRUE(log.decide(now, requests(10), {2, 0, 0}, 1).is_admitted);
    EXPECT_EQ(log.take_owed(now), (Amounts{2, 0, 0}));
    EXPECT_EQ(log.take_owed(now), Amounts{});
    EXPECT_EQ(log.total(now), (Amounts{2, 0, 0}));
    log.owe_again(now, {2, 0, 0});
    EXPECT_EQ(log.take_owed(now), (Amounts{2, 0, 0}));
}

TEST(OwnLogTest, NoticesThatTheStoreHasForgotten) {
    OwnLog log{3'200ms};
    const std::int64_t now = 1'000'000;
    log.note_admitted(now, {5, 0, 0});
    EXPECT_FALSE(log.is_forgotten(now, {0, 0, 0})) << "too fresh: answers may overtake each other";
    EXPECT_FALSE(log.is_forgotten(now + 1'000, {5, 0, 0}));
    EXPECT_TRUE(log.is_forgotten(now + 1'000, {4, 0, 0}));
    EXPECT_FALSE(log.is_forgotten(now + 3'200, {0, 0, 0})) << "about to leave the window";
}

TEST(MembershipTest, UsesTheStoreOnceItHasToldWhatItAdmitted) {
    Membership one{"one", 60s};
    EXPECT_EQ(one.observe({}, kStart), Membership::Life::missing);
    EXPECT_EQ(one.observe({{"life", "x"}}, kStart), Membership::Life::first);
    EXPECT_FALSE(one.is_store_true(kStart));
    one.set_told();
    EXPECT_TRUE(one.is_store_true(kStart));
    EXPECT_EQ(one.beat(), "1 1 1 x");
    one.lose(kStart);
    EXPECT_FALSE(one.is_store_true(kStart));
}

TEST(MembershipTest, KeepsAShareForWhoWentSilentUntilFiveWindowsHavePassed) {
    Membership one{"one", 60s};
    one.observe({{"life", "x"}, {"two", "1 2 1 x"}}, kStart);
    EXPECT_EQ(one.replicas(), 2);
    EXPECT_EQ(one.kept_of(11), 0);
    one.observe({{"life", "x"}, {"two", "1 2 1 x"}}, kStart + 2s);
    EXPECT_EQ(one.kept_of(11), 5);
    one.observe({{"life", "x"}, {"two", "2 2 1 x"}}, kStart + 3s);
    EXPECT_EQ(one.kept_of(11), 0) << "it is back";
    one.observe({{"life", "x"}, {"two", "2 2 1 x"}}, kStart + 400s);
    EXPECT_EQ(one.replicas(), 1);
}

TEST(MembershipTest, WaitsForAllToTellAfterTheDataWereLostOrAWindow) {
    Membership one{"one", 60s};
    one.observe({{"life", "x"}, {"two", "1 2 1 x"}}, kStart);
    one.set_told();
    EXPECT_EQ(one.observe({{"life", "y"}}, kStart + 1s), Membership::Life::other);
    one.set_told();
    EXPECT_FALSE(one.is_store_true(kStart + 1s)) << "the other one has not told yet";
    one.observe({{"life", "y"}, {"two", "2 2 1 y"}}, kStart + 2s);
    EXPECT_TRUE(one.is_store_true(kStart + 2s));

    one.observe({{"life", "z"}}, kStart + 3s);
    one.set_told();
    one.observe({{"life", "z"}}, kStart + 64s);
    EXPECT_TRUE(one.is_store_true(kStart + 64s)) << "what was lost has left the window";
}

}  // namespace
}  // namespace sluice::stores
