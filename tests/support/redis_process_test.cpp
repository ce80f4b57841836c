#include "tests/support/redis_process.hpp"

#include <gtest/gtest.h>

namespace sluice::testing {
namespace {

TEST(RedisProcessTest, AnswersCommandsAndIsGoneWhenKilled) {
    RedisProcess redis;
    EXPECT_EQ(redis.command({"SET", "a", "1"}), "OK");
    EXPECT_EQ(redis.command({"GET", "a"}), "1");

    redis.kill();
    EXPECT_EQ(redis.command({"PING"}), "(no connection)");

    redis.start();
    EXPECT_EQ(redis.command({"GET", "a"}), "(nil)");
}

TEST(RedisProcessTest, AsksForAPassword) {
    RedisProcess redis{{.password = "secret", .users = {"app on >word ~* +@all"}}};
    EXPECT_EQ(redis.command({"PING"}), "PONG");
    EXPECT_EQ(redis.command({"AUTH", "app", "word"}), "OK");
    EXPECT_TRUE(redis.command({"AUTH", "app", "wrong"}).starts_with("WRONGPASS"));
}

TEST(RedisProcessTest, CopiesToAReplica) {
    RedisProcess primary{{.password = "secret"}};
    RedisProcess replica{{.password = "secret", .replica_of_port = primary.port()}};
    ASSERT_EQ(primary.command({"SET", "a", "1"}), "OK");
    EXPECT_TRUE(replica.wait_for({"GET", "a"}, "1"));
}

TEST(RedisProcessTest, ListensEncryptedToo) {
    RedisProcess redis{{.with_tls = true}};
    EXPECT_NE(redis.tls_port(), 0);
    const std::string ask = "redis-cli --tls --cacert " + redis.certificate_file() +
                            " -h 127.0.0.1 -p " + std::to_string(redis.tls_port()) +
                            " PING | grep -q PONG";
    EXPECT_EQ(std::system(ask.c_str()), 0);
}

TEST(RedisProcessTest, SaysWhyItDidNotStart) {
    EXPECT_THROW(RedisProcess({.arguments = {"--no-such-option", "1"}}), std::runtime_error);
}

}  // namespace
}  // namespace sluice::testing
