#include "redis/topology.hpp"

#include "redis/error.hpp"
#include "redis/url.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace sluice::redis {

namespace {

constexpr std::size_t kMaxNodes = 1'000;  // the largest cluster the specification speaks of

std::optional<net::Endpoint> read_node(const Reply& host, const Reply& port) {
    const Result<std::int64_t> number = to_integer(port);
    if (!number || *number < 1 || *number > 65'535) return std::nullopt;
    if (!host.is_nil() && !host.is_text()) return std::nullopt;
    net::Endpoint node;
    node.host = host.text();
    node.port = static_cast<std::uint16_t>(*number);
    return node;
}

std::optional<std::uint16_t> read_slot(std::int64_t number) {
    if (number < 0 || number >= kSlots) return std::nullopt;
    return static_cast<std::uint16_t>(number);
}

}  // namespace

const net::Endpoint* SlotMap::owner(std::uint16_t slot) const {
    const std::uint16_t index = owners_[slot];
    return index == kNobody ? nullptr : &masters_[index];
}

std::uint16_t SlotMap::index_of(const net::Endpoint& node) {
    const auto known = std::find(masters_.begin(), masters_.end(), node);
    if (known != masters_.end()) return static_cast<std::uint16_t>(known - masters_.begin());
    if (masters_.size() >= kMaxNodes) return kNobody;
    masters_.push_back(node);
    return static_cast<std::uint16_t>(masters_.size() - 1);
}

void SlotMap::move(std::uint16_t slot, const net::Endpoint& owner) {
    owners_[slot] = index_of(owner);
}

// An array of ranges: [first, last, [host, port, …] of the master, … of the replicas].
Result<SlotMap> SlotMap::parse(const Reply& reply, const net::Endpoint& asked) {
    if (!reply.is_array()) return Error{Errc::bad_reply};
    SlotMap map;
    for (const Reply& range : reply.items()) {
        if (range.items().size() < 3 || range.items()[2].items().size() < 2) {
            return Error{Errc::bad_reply};
        }
        const auto first = read_slot(range.items()[0].integer());
        const auto last = read_slot(range.items()[1].integer());
        const std::vector<Reply>& master = range.items()[2].items();
        std::optional<net::Endpoint> node = read_node(master[0], master[1]);
        if (!first || !last || *first > *last || !node) return Error{Errc::bad_reply};
        if (node->host.empty() || node->host == "?") node->host = asked.host;
        const std::uint16_t index = map.index_of(*node);
        if (index == kNobody) return Error{Errc::bad_reply};
        std::fill(map.owners_.begin() + *first, map.owners_.begin() + *last + 1, index);
    }
    if (map.masters_.empty()) return Error{Errc::no_slot_owner};
    return map;
}

std::optional<Redirect> parse_redirect(const Reply& reply, const net::Endpoint& asked) {
    const bool is_moved = reply.is_error("MOVED");
    if (!is_moved && !reply.is_error("ASK")) return std::nullopt;
    std::string_view text{reply.text()};
    text.remove_prefix(std::min(text.size(), std::size_t{is_moved ? 6U : 4U}));
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    std::uint32_t slot = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + space, slot);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + space || slot >= kSlots) {
        return std::nullopt;
    }
    // An IPv6 address comes without brackets here: the port is what follows the last colon.
    const std::string_view place = text.substr(space + 1);
    const std::size_t colon = place.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::uint16_t port = 0;
    const char* end = place.data() + place.size();
    const auto number = std::from_chars(place.data() + colon + 1, end, port);
    if (number.ec != std::errc{} || number.ptr != end || port == 0) return std::nullopt;

    Redirect redirect;
    redirect.kind = is_moved ? Redirect::Kind::moved : Redirect::Kind::ask;
    redirect.slot = static_cast<std::uint16_t>(slot);
    redirect.node.host = place.substr(0, colon);
    redirect.node.port = port;
    if (redirect.node.host.empty() || redirect.node.host == "?") redirect.node.host = asked.host;
    return redirect;
}

Result<net::Endpoint> parse_master(const Reply& reply) {
    if (reply.is_nil()) return Error{Errc::no_master};
    if (reply.items().size() != 2) return Error{Errc::bad_reply};
    const std::optional<net::Endpoint> node = read_node(reply.items()[0], reply.items()[1]);
    if (!node || node->host.empty()) return Error{Errc::bad_reply};
    return *node;
}

// An array of flat lists of names and values.
std::vector<net::Endpoint> parse_sentinels(const Reply& reply) {
    std::vector<net::Endpoint> sentinels;
    for (const Reply& fields : reply.items()) {
        const Reply* host = nullptr;
        const Reply* port = nullptr;
        for (std::size_t i = 0; i + 1 < fields.items().size(); i += 2) {
            if (fields.items()[i].text() == "ip") host = &fields.items()[i + 1];
            if (fields.items()[i].text() == "port") port = &fields.items()[i + 1];
        }
        if (host == nullptr || port == nullptr || sentinels.size() >= kMaxNodes) continue;
        const std::optional<net::Endpoint> node = read_node(*host, *port);
        if (node && !node->host.empty()) sentinels.push_back(*node);
    }
    return sentinels;
}

std::string_view info_field(std::string_view info, std::string_view name) {
    while (!info.empty()) {
        const std::size_t end = std::min(info.find("\r\n"), info.size());
        const std::string_view line = info.substr(0, end);
        if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
            return line.substr(name.size() + 1);
        }
        info.remove_prefix(std::min(info.size(), end + 2));
    }
    return {};
}

}  // namespace sluice::redis
