// What servers say about where things are: any reply at all gives addresses that can be connected
// to, or none.
#include "redis/codec.hpp"
#include "redis/error.hpp"
#include "redis/topology.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace sluice;
using namespace sluice::redis;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void check(const net::Endpoint& node) {
    require(!node.host.empty() && node.port != 0);
}

void check_slots(const Reply& reply, const net::Endpoint& asked) {
    Result<SlotMap> map = SlotMap::parse(reply, asked);
    if (!map) return;
    require(!map->masters().empty() && map->masters().size() <= 1000);
    for (const net::Endpoint& node : map->masters()) check(node);
    const net::Endpoint mover{"moved.example", 7};
    map->move(kSlots - 1, mover);
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        const net::Endpoint* owner = map->owner(static_cast<std::uint16_t>(slot));
        if (owner != nullptr) check(*owner);
    }
}

void check_all(const Reply& reply) {
    const net::Endpoint asked{"asked.example", 6379};
    check_slots(reply, asked);
    if (const auto redirect = parse_redirect(reply, asked)) {
        check(redirect->node);
        require(redirect->slot < kSlots);
    }
    if (const auto master = parse_master(reply)) check(*master);
    for (const net::Endpoint& node : parse_sentinels(reply)) check(node);
    const std::string_view field = info_field(reply.text(), "run_id");
    require(field.find("\r\n") == std::string_view::npos);
    (void)to_integer(reply);
    require(static_cast<bool>(error_of(reply)) == reply.is_error());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ReplyParser parser{{.bytes = 65'536, .items = 4'096}};
    if (parser.feed({reinterpret_cast<const char*>(data), size})) return 0;
    for (;;) {
        const Result<std::optional<Reply>> reply = parser.next();
        if (!reply || !*reply) return 0;
        check_all(**reply);
    }
}
