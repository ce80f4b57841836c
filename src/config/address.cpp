#include "config/address.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::config {
namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text, Number most) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
    if (value < 0 || value > most) return {};
    return value;
}

bool is_host_name(std::string_view text) {
    return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '-' || c == '_';
    });
}

bool is_ipv6(std::string_view text) {
    return text.size() >= 2 && text.size() <= 64 && text.find(':') != text.npos &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') ||
                      c == ':' || c == '.';
           });
}

// "host", "host:port", "[ipv6]" or "[ipv6]:port".
std::optional<Address> parse_authority(std::string_view text, std::uint16_t default_port) {
    Address out;
    std::string_view rest;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == text.npos || !is_ipv6(text.substr(1, close - 1))) return {};
        out.host = text.substr(1, close - 1);
        rest = text.substr(close + 1);
    } else {
        const std::size_t colon = std::min(text.find(':'), text.size());
        if (!is_host_name(text.substr(0, colon))) return {};
        out.host = text.substr(0, colon);
        rest = text.substr(colon);
    }
    out.port = default_port;
    if (rest.empty()) return out;
    const auto port = parse_number<int>(rest.substr(1), 65535);
    if (rest.front() != ':' || !port) return {};
    out.port = static_cast<std::uint16_t>(*port);
    return out;
}

bool is_path(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return c > 0x20 && c < 0x7F && c != '?' && c != '#' && c != '"' && c != '\\';
    });
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

}  // namespace

std::string Address::text() const {
    const bool is_v6 = host.find(':') != host.npos;
    return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<Address> parse_address(std::string_view text) {
    const std::size_t after_host = text.starts_with('[') ? text.find(']') : 0;
    if (after_host == text.npos || text.find(':', after_host) == text.npos) return {};
    return parse_authority(text, 0);
}

std::string UpstreamUrl::text() const {
    if (scheme == Scheme::echo) return "echo:";
    return (scheme == Scheme::https ? "https://" : "http://") + address.text() + prefix;
}

std::optional<UpstreamUrl> parse_upstream_url(std::string_view text) {
    UpstreamUrl out;
    if (text == "echo:") {
        out.scheme = UpstreamUrl::Scheme::echo;
        return out;
    }
    if (take_prefix(text, "https://")) {
        out.scheme = UpstreamUrl::Scheme::https;
    } else if (!take_prefix(text, "http://")) {
        return {};
    }
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::uint16_t default_port = out.scheme == UpstreamUrl::Scheme::https ? 443 : 80;
    const auto address = parse_authority(text.substr(0, slash), default_port);
    std::string_view path = text.substr(slash);
    while (path.ends_with('/')) path.remove_suffix(1);
    if (!address || address->port == 0 || path.size() > 1024 || !is_path(path)) return {};
    out.address = *address;
    out.prefix = path;
    return out;
}

std::optional<RedisUrl> parse_redis_url(std::string_view text) {
    RedisUrl out;
    out.is_tls = take_prefix(text, "rediss://");
    if (!out.is_tls && !take_prefix(text, "redis://")) return {};
    const std::size_t slash = std::min(text.find('/'), text.size());
    const auto address = parse_authority(text.substr(0, slash), 6379);
    if (!address || address->port == 0) return {};
    out.address = *address;
    if (slash + 1 < text.size()) {
        const auto database = parse_number<int>(text.substr(slash + 1), 1'000'000);
        if (!database) return {};
        out.database = *database;
    }
    return out;
}

}  // namespace sluice::config
