#include "http/pool_state.hpp"

#include <gtest/gtest.h>

namespace sluice::http {
namespace {

const SteadyTime kStart{seconds{1000}};

TEST(PoolStateTest, TakesTheConnectionUsedMostRecently) {
    PoolState pool{10, seconds{60}};
    pool.rest(1, kStart);
    pool.rest(2, kStart + seconds{1});
    EXPECT_EQ(pool.take(kStart + seconds{2}), 2u);
    EXPECT_EQ(pool.take(kStart + seconds{2}), 1u);
    EXPECT_FALSE(pool.take(kStart + seconds{2}).has_value());
}

TEST(PoolStateTest, LetsGoOfTheOneThatRestedLongestWhenThereAreTooMany) {
    PoolState pool{2, seconds{60}};
    EXPECT_FALSE(pool.rest(1, kStart).has_value());
    EXPECT_FALSE(pool.rest(2, kStart).has_value());
    EXPECT_EQ(pool.rest(3, kStart), 1u);
    EXPECT_EQ(pool.size(), 2u);
    PoolState none{0, seconds{60}};
    EXPECT_EQ(none.rest(7, kStart), 7u);
}

TEST(PoolStateTest, ExpiresInOrder) {
    PoolState pool{10, seconds{60}};
    pool.rest(1, kStart);
    pool.rest(2, kStart + seconds{10});
    EXPECT_EQ(pool.next_expiry(), kStart + seconds{60});
    EXPECT_TRUE(pool.expire(kStart + seconds{59}).empty());
    EXPECT_EQ(pool.expire(kStart + seconds{60}), std::vector<PoolState::Id>{1});
    EXPECT_FALSE(pool.take(kStart + seconds{70}).has_value());
    pool.forget(2);
    EXPECT_EQ(pool.size(), 0u);
    EXPECT_FALSE(pool.next_expiry().has_value());
}

}  // namespace
}  // namespace sluice::http
