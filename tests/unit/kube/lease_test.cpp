#include "kube/lease.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::kube {
namespace {

using namespace std::chrono_literals;

constexpr SteadyTime kNow{1000s};
constexpr WallTime kWall{1'700'000'000s};

LeaseRecord held_by(const std::string& holder, std::int64_t seconds = 15) {
    LeaseRecord record;
    record.holder = holder;
    record.seconds = seconds;
    record.acquired = "2026-01-01T00:00:00.000000Z";
    record.renewed = "2026-01-01T00:00:01.000000Z";
    record.transitions = 4;
    return record;
}

// One that has just acquired the free lease.
Lease leader() {
    Lease lease{"me", {}};
    lease.observed(std::nullopt, "", kNow);
    lease.written(lease.claim(kNow, kWall)->record, "1", kNow);
    return lease;
}

TEST(LeaseTest, CreatesTheLeaseWhereThereIsNone) {
    Lease lease{"me", {}};
    lease.observed(std::nullopt, "", kNow);

    const auto write = lease.claim(kNow, kWall);

    ASSERT_TRUE(write);
    EXPECT_EQ(write->kind, LeaseWrite::Kind::create);
    EXPECT_EQ(write->record.holder, "me");
    EXPECT_EQ(write->record.seconds, 15);
    EXPECT_EQ(write->record.transitions, 0);
    EXPECT_EQ(write->record.renewed, "2023-11-14T22:13:20.000000Z");
    EXPECT_FALSE(lease.is_leading(kNow));
}

TEST(LeaseTest, LeadsOnlyOnceItsWriteSucceededAndNoLongerThanTheRenewDeadline) {
    const Lease lease = leader();
    EXPECT_TRUE(lease.is_leading(kNow));
    EXPECT_TRUE(lease.is_leading(kNow + 9999ms));
    EXPECT_FALSE(lease.is_leading(kNow + 10s));
}

TEST(LeaseTest, CountsFromWhenTheRenewalWasSentNotFromItsAnswer) {
    Lease lease = leader();
    const auto write = lease.renewal(kNow + 2s, kWall);
    lease.written(write->record, "2", kNow + 2s);  // the answer came at +6 s
    EXPECT_FALSE(lease.is_leading(kNow + 12s));
}

TEST(LeaseTest, LeavesALeaseThatAnotherHoldsUntilItStoppedChangingForItsDuration) {
    Lease lease{"me", {}};
    lease.observed(held_by("other"), "7", kNow);
    EXPECT_FALSE(lease.claim(kNow + 14999ms, kWall));

    lease.observed(held_by("other"), "7", kNow + 10s);  // unchanged: the clock is not set back
    const auto write = lease.claim(kNow + 15001ms, kWall);

    ASSERT_TRUE(write);
    EXPECT_EQ(write->resource_version, "7");
    EXPECT_EQ(write->record.transitions, 5);
}

TEST(LeaseTest, ARenewalByTheOtherStartsTheWaitAnew) {
    Lease lease{"me", {}};
    lease.observed(held_by("other"), "7", kNow);
    LeaseRecord renewed = held_by("other");
    renewed.renewed = "2026-01-01T00:00:03.000000Z";
    lease.observed(renewed, "8", kNow + 10s);
    EXPECT_FALSE(lease.claim(kNow + 24s, kWall));
    EXPECT_TRUE(lease.claim(kNow + 26s, kWall));
}

TEST(LeaseTest, NeverComparesTheOthersClockWithOurs) {
    // Its times are decades away from ours, in either direction.
    for (const char* renewed :
         {"1980-01-01T00:00:00.000000Z", "2080-01-01T00:00:00.000000Z", "?"}) {
        Lease lease{"me", {}};
        LeaseRecord record = held_by("other");
        record.renewed = renewed;
        lease.observed(record, "7", kNow);
        EXPECT_FALSE(lease.claim(kNow + 14s, kWall)) << renewed;
        EXPECT_TRUE(lease.claim(kNow + 16s, kWall)) << renewed;
    }
}

TEST(LeaseTest, TakesAReleasedLeaseAtOnce) {
    Lease lease{"me", {}};
    lease.observed(held_by(""), "7", kNow);
    ASSERT_TRUE(lease.claim(kNow, kWall));
    EXPECT_EQ(lease.claim(kNow, kWall)->record.transitions, 5);
}

TEST(LeaseTest, KeepsTheTimeOfAcquisitionAndTheTransitionsWhenRenewing) {
    Lease lease{"me", {}};
    lease.observed(held_by("me"), "7", kNow);
    const auto write = lease.claim(kNow, kWall);
    ASSERT_TRUE(write);
    EXPECT_EQ(write->record.acquired, "2026-01-01T00:00:00.000000Z");
    EXPECT_EQ(write->record.transitions, 4);
}

TEST(LeaseTest, RenewsFromMemoryWhileLeadingAndNeverAfterwards) {
    const Lease lease = leader();
    ASSERT_TRUE(lease.renewal(kNow + 2s, kWall));
    EXPECT_EQ(lease.renewal(kNow + 2s, kWall)->resource_version, "1");
    EXPECT_FALSE(lease.renewal(kNow + 11s, kWall));
}

TEST(LeaseTest, StopsLeadingTheMomentItSeesAnotherHolder) {
    Lease lease = leader();
    lease.observed(held_by("other"), "9", kNow + 1s);
    EXPECT_FALSE(lease.is_leading(kNow + 1s));
    EXPECT_TRUE(lease.has_led());
    EXPECT_FALSE(lease.release(kWall));
}

TEST(LeaseTest, ReleasesWithAnEmptyHolderThatIsFreeForAnyone) {
    const Lease lease = leader();
    const auto write = lease.release(kWall);
    ASSERT_TRUE(write);
    EXPECT_EQ(write->record.holder, "");
    EXPECT_EQ(write->record.seconds, 1);
    EXPECT_EQ(write->resource_version, "1");
}

TEST(LeaseTest, SurvivesTheRoundTripThroughJson) {
    const LeaseRecord record = held_by("x");
    EXPECT_EQ(lease_record_of(Json{{"spec", to_json(record)}}), record);
    EXPECT_EQ(lease_record_of(Json{{"spec", {{"leaseDurationSeconds", "x"}}}}), LeaseRecord{});
}

TEST(LeaseTest, TimesMustLeaveRoomForOneAnother) {
    EXPECT_EQ((LeaseTimes{15s, 10s, 2s}.fault()), "");
    EXPECT_EQ((LeaseTimes{60s, 40s, 15s}.fault()), "");
    EXPECT_NE((LeaseTimes{10s, 10s, 2s}.fault()), "");
    EXPECT_NE((LeaseTimes{15s, 2s, 2s}.fault()), "");
    EXPECT_NE((LeaseTimes{15s, 10s, 0s}.fault()), "");
}

}  // namespace
}  // namespace sluice::kube
