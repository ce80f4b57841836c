#include "redis/topology.hpp"

#include "redis/error.hpp"

#include <gtest/gtest.h>

namespace sluice::redis {
namespace {

net::Endpoint node(std::string host, std::uint16_t port) {
    net::Endpoint endpoint;
    endpoint.host = std::move(host);
    endpoint.port = port;
    return endpoint;
}

Reply range(std::int64_t first, std::int64_t last, std::string host, std::int64_t port) {
    const Reply master = Reply::of_array(
        {Reply::of_text(std::move(host)), Reply::of_integer(port), Reply::of_text("id")}
    );
    return Reply::of_array({Reply::of_integer(first), Reply::of_integer(last), master});
}

const net::Endpoint kAsked = node("10.0.0.1", 6379);

TEST(SlotMapTest, KnowsTheOwnerOfEachSlotAndMovesIt) {
    const Reply reply =
        Reply::of_array({range(0, 100, "10.0.0.2", 7000), range(102, 16'383, "", 7001)});
    SlotMap map = *SlotMap::parse(reply, kAsked);
    EXPECT_EQ(*map.owner(100), node("10.0.0.2", 7000));
    EXPECT_EQ(map.owner(101), nullptr);
    EXPECT_EQ(*map.owner(102), node("10.0.0.1", 7001));

    map.move(101, node("10.0.0.3", 7002));
    EXPECT_EQ(*map.owner(101), node("10.0.0.3", 7002));
    EXPECT_EQ(map.masters().size(), 3U);
}

TEST(SlotMapTest, RefusesWhatMakesNoSense) {
    const std::vector<Reply> bad{
        Reply::of_text("x"),
        Reply::of_array({}),
        Reply::of_array({Reply::of_integer(1)}),
        Reply::of_array({range(-1, 5, "h", 1)}),
        Reply::of_array({range(0, 16'384, "h", 1)}),
        Reply::of_array({range(5, 4, "h", 1)}),
        Reply::of_array({range(0, 5, "h", 0)}),
        Reply::of_array({range(0, 5, "h", 65'536)}),
    };
    for (const Reply& reply : bad) EXPECT_FALSE(SlotMap::parse(reply, kAsked).has_value());
}

TEST(RedirectTest, ReadsMovedAndAsk) {
    const auto moved = parse_redirect(Reply::of_error("MOVED 3999 127.0.0.1:6381"), kAsked);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->kind, Redirect::Kind::moved);
    EXPECT_EQ(moved->slot, 3999);
    EXPECT_EQ(moved->node, node("127.0.0.1", 6381));
    const auto ask = parse_redirect(Reply::of_error("ASK 1 ::1:6381"), kAsked);
    ASSERT_TRUE(ask);
    EXPECT_EQ(ask->kind, Redirect::Kind::ask);
    EXPECT_EQ(ask->node, node("::1", 6381));
    EXPECT_EQ(
        parse_redirect(Reply::of_error("MOVED 1 :6381"), kAsked)->node, node("10.0.0.1", 6381)
    );
}

TEST(RedirectTest, IgnoresWhatIsNone) {
    for (const char* text :
         {"MOVED",
          "MOVED ",
          "MOVED x h:1",
          "MOVED 16384 h:1",
          "MOVED 1 h",
          "MOVED 1 h:0",
          "MOVED 1 h:65536",
          "ASK 1 h:1x",
          "MOVEDX 1 h:1",
          "ERR MOVED 1 h:1"}) {
        EXPECT_FALSE(parse_redirect(Reply::of_error(text), kAsked)) << text;
    }
    EXPECT_FALSE(parse_redirect(Reply::of_text("MOVED 1 h:1"), kAsked));
}

TEST(InfoTest, FindsAFieldByItsWholeName) {
    const std::string_view info =
        "# Replication\r\nmaster_replid2:0\r\nmaster_replid:a:b\r\nrole:x";
    EXPECT_EQ(info_field(info, "master_replid"), "a:b");
    EXPECT_EQ(info_field(info, "role"), "x");
    EXPECT_EQ(info_field(info, "missing"), "");
}

}  // namespace
}  // namespace sluice::redis
