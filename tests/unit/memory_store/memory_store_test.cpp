#include "stores/memory_store.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace sluice::stores {
namespace {

using namespace std::chrono_literals;
using limits::Amounts;
using limits::Limits;

struct ManualClock {
    std::atomic<std::int64_t> milliseconds_since_epoch{1'800'000'000'000};
    void advance(milliseconds by) { milliseconds_since_epoch += by.count(); }
    MemoryTable::Clock reader() {
        return [this] { return WallTime{milliseconds{milliseconds_since_epoch.load()}}; };
    }
};

std::string subject(int number) {
    return "team/" + std::to_string(number);
}

TEST(MemoryTableTest, KeepsSubjectsApart) {
    ManualClock clock;
    MemoryTable table{{}, clock.reader()};
    const Limits limits{1, {}, {}};
    EXPECT_TRUE(table.acquire("team/a", limits, {1, 0, 0})->is_admitted);
    EXPECT_TRUE(table.acquire("team/b", limits, {1, 0, 0})->is_admitted);
    EXPECT_FALSE(table.acquire("team/a", limits, {1, 0, 0})->is_admitted);
    EXPECT_EQ(table.peek("team/a").used.requests, 1);
    EXPECT_EQ(table.peek("team/c").used.requests, 0);
    EXPECT_EQ(table.size(), 2u);
}

TEST(MemoryTableTest, DropsIdleSubjectsWhenNewOnesCome) {
    ManualClock clock;
    MemoryTable table{{.window = 60s, .stripes = 1}, clock.reader()};
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(table.acquire(subject(i), {}, {1, 0, 0}));
    clock.advance(61s);
    ASSERT_TRUE(table.acquire(subject(1000), {}, {1, 0, 0}));
    EXPECT_EQ(table.size(), 1u);
}

TEST(MemoryTableTest, RefusesASubjectTooManyRatherThanForgetOne) {
    ManualClock clock;
    MemoryTable table{{.window = 60s, .stripes = 1, .most_subjects = 2}, clock.reader()};
    const Limits limits{1, {}, {}};
    ASSERT_TRUE(table.acquire("team/a", limits, {1, 0, 0}));
    ASSERT_TRUE(table.acquire("team/b", limits, {1, 0, 0}));
    EXPECT_FALSE(table.acquire("team/c", limits, {1, 0, 0}));
    EXPECT_FALSE(table.acquire("team/a", limits, {1, 0, 0})->is_admitted);
    clock.advance(61s);
    EXPECT_TRUE(table.acquire("team/c", limits, {1, 0, 0}));
}

// Run it under the tsan preset.
TEST(MemoryTableTest, AdmitsExactlyTheLimitToManyThreads) {
    ManualClock clock;
    MemoryTable table{{.window = 60s, .stripes = 4}, clock.reader()};
    const Limits limits{500, 50'000, {}};
    constexpr int kSubjects = 8;
    std::array<std::atomic<int>, kSubjects> admitted{};
    std::vector<std::thread> workers;
    for (int worker = 0; worker < 4; ++worker) {
        workers.emplace_back([&] {
            for (int i = 0; i < 2000; ++i) {
                const int s = i % kSubjects;
                const auto decision = table.acquire(subject(s), limits, {1, 100, 100});
                if (!decision->is_admitted) continue;
                ++admitted[static_cast<std::size_t>(s)];
                table.settle(subject(s), {decision->slot, {1, 100, 100}, {1, 100, 40}});
                (void)table.peek(subject(s));
                (void)table.size();
            }
        });
    }
    for (std::thread& worker : workers) worker.join();
    for (int s = 0; s < kSubjects; ++s) {
        EXPECT_EQ(admitted[static_cast<std::size_t>(s)], 500);
        EXPECT_EQ(table.peek(subject(s)).used, (Amounts{500, 50'000, 20'000}));
    }
    EXPECT_TRUE(table.is_sound());
}

}  // namespace
}  // namespace sluice::stores
