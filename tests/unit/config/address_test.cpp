#include "config/address.hpp"

#include <gtest/gtest.h>

namespace sluice::config {
namespace {

TEST(AddressTest, IsHostAndPortAndPrintsAsItWasRead) {
    for (const char* text : {"0.0.0.0:8080", "[::1]:9090", "localhost:0", "redis-0.redis:6379"}) {
        const auto address = parse_address(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(address->text(), text);
    }
}

TEST(AddressTest, RefusesEverythingElse) {
    for (const char* text :
         {"",
          "8080",
          "host",
          ":8080",
          "host:",
          "host:65536",
          "host:-1",
          "host:80x",
          "::1:80",
          "[::1]",
          "[::1",
          "[]:80",
          "a b:80",
          "user@host:80",
          "host:80/path",
          "[::1]80"}) {
        EXPECT_FALSE(parse_address(text)) << text;
    }
}

TEST(UpstreamUrlTest, KnowsSchemePortAndPrefix) {
    struct Row {
        const char* text;
        UpstreamUrl expected;
    };
    using Scheme = UpstreamUrl::Scheme;
    const Row rows[] = {
        {"http://vllm:8000", {Scheme::http, {"vllm", 8000}, ""}},
        {"https://api.example.com", {Scheme::https, {"api.example.com", 443}, ""}},
        {"http://10.0.0.1/", {Scheme::http, {"10.0.0.1", 80}, ""}},
        {"https://[2001:db8::1]:8443/openai/", {Scheme::https, {"2001:db8::1", 8443}, "/openai"}},
        {"echo:", {Scheme::echo, {}, ""}},
    };
    for (const Row& row : rows) {
        const auto url = parse_upstream_url(row.text);
        ASSERT_TRUE(url) << row.text;
        EXPECT_EQ(*url, row.expected) << row.text;
        EXPECT_EQ(parse_upstream_url(url->text()), url) << row.text;
    }
}

TEST(UpstreamUrlTest, RefusesUsersQueriesFragmentsAndOtherSchemes) {
    for (const char* text :
         {"",
          "vllm:8000",
          "ftp://host",
          "http://",
          "http://user:secret@host",
          "http://host/?a=b",
          "http://host/#x",
          "http://host:0",
          "http://host:99999",
          "echo://x",
          "http://ho st/",
          "http://host/a\r\nb",
          "HTTP//host"}) {
        EXPECT_FALSE(parse_upstream_url(text)) << text;
    }
}

TEST(RedisUrlTest, KnowsTlsPortAndDatabase) {
    const auto plain = parse_redis_url("redis://cache");
    ASSERT_TRUE(plain);
    EXPECT_FALSE(plain->is_tls);
    EXPECT_EQ(plain->address, (Address{"cache", 6379}));
    EXPECT_EQ(plain->database, 0);

    const auto tls = parse_redis_url("rediss://[::1]:6380/7");
    ASSERT_TRUE(tls);
    EXPECT_TRUE(tls->is_tls);
    EXPECT_EQ(tls->address, (Address{"::1", 6380}));
    EXPECT_EQ(tls->database, 7);
}

TEST(RedisUrlTest, RefusesPasswordsAndDatabasesThatAreNone) {
    for (const char* text :
         {"",
          "cache:6379",
          "redis://:secret@cache",
          "redis://cache/x",
          "redis://cache/-1",
          "redis://cache/0?x",
          "http://cache",
          "redis://",
          "redis://cache:0"}) {
        EXPECT_FALSE(parse_redis_url(text)) << text;
    }
}

}  // namespace
}  // namespace sluice::config
