#pragma once

#include "base/result.hpp"
#include "net/connect.hpp"
#include "redis/reply.hpp"
#include "redis/slot.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

// What the servers say about where things are, read without trust: every number is checked and
// every size bounded. Pure.
namespace sluice::redis {

// Which node serves which slot.
class SlotMap {
 public:
    // From the reply to CLUSTER SLOTS. `asked` is the node that answered: it stands in for the host
    // of a node that is named "" or nil ("the address you reached me at").
    static Result<SlotMap> parse(const Reply& reply, const net::Endpoint& asked);

    const std::vector<net::Endpoint>& masters() const { return masters_; }
    // Null when nobody serves it.
    const net::Endpoint* owner(std::uint16_t slot) const;
    // Learned from MOVED.
    void move(std::uint16_t slot, const net::Endpoint& owner);

 private:
    static constexpr std::uint16_t kNobody = 0xffff;
    std::uint16_t index_of(const net::Endpoint& node);

    std::vector<net::Endpoint> masters_;
    std::vector<std::uint16_t> owners_ = std::vector<std::uint16_t>(kSlots, kNobody);
};

// "MOVED 3999 127.0.0.1:6381" or "ASK 3999 127.0.0.1:6381".
struct Redirect {
    enum class Kind : std::uint8_t { moved, ask };
    Kind kind = Kind::moved;
    std::uint16_t slot = 0;
    net::Endpoint node;
};
std::optional<Redirect> parse_redirect(const Reply& reply, const net::Endpoint& asked);

// From the reply to SENTINEL GET-MASTER-ADDR-BY-NAME.
Result<net::Endpoint> parse_master(const Reply& reply);
// From the reply to SENTINEL SENTINELS: the others it knows; what makes no sense is left out.
std::vector<net::Endpoint> parse_sentinels(const Reply& reply);

// The value of `name` in the text that INFO answers with; "" when it is not there.
std::string_view info_field(std::string_view info, std::string_view name);

}  // namespace sluice::redis
