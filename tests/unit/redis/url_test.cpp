#include "redis/url.hpp"

#include "redis/error.hpp"

#include <gtest/gtest.h>

namespace sluice::redis {
namespace {

TEST(UrlTest, ReadsHostPortDatabaseAndEncryption) {
    const Url plain = *parse_url("redis://redis.example:6380/2");
    EXPECT_EQ(plain.endpoint.host, "redis.example");
    EXPECT_EQ(plain.endpoint.port, 6380);
    EXPECT_EQ(plain.database, 2);
    EXPECT_FALSE(plain.is_tls);
    const Url tls = *parse_url("rediss://[::1]");
    EXPECT_EQ(tls.endpoint.host, "::1");
    EXPECT_EQ(tls.endpoint.port, 6379);
    EXPECT_TRUE(tls.is_tls);
    EXPECT_EQ(to_text(tls.endpoint), "[::1]:6379");
}

TEST(UrlTest, RefusesEverythingElse) {
    for (const char* text :
         {"",
          "redis",
          "http://x",
          "redis://",
          "redis://:1",
          "redis://h:0",
          "redis://h:65536",
          "redis://h:1x",
          "redis://h/x",
          "redis://h/-1",
          "redis://user:pass@h",
          "redis://h h",
          "redis://[::1",
          "redis://[::1]x"}) {
        EXPECT_EQ(parse_url(text).error(), Errc::bad_url) << text;
    }
}

}  // namespace
}  // namespace sluice::redis
