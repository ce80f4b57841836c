#include "gateway/identity.hpp"

namespace sluice::gateway {
namespace {

constexpr std::string_view kBearer = "bearer";
constexpr std::string_view kProtocolPrefix = "openai-insecure-api-key.";
constexpr std::string_view kProtocolField = "Sec-WebSocket-Protocol";

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::string_view> bearer_of(std::string_view authorization) {
    const std::size_t space = authorization.find_first_of(" \t");
    if (space == std::string_view::npos) return std::nullopt;
    if (!http::equals_ignoring_case(authorization.substr(0, space), kBearer)) return std::nullopt;
    const std::string_view key = trimmed(authorization.substr(space));
    if (key.empty()) return std::nullopt;
    return key;
}

std::optional<std::string_view> protocol_key(const http::Head& head) {
    if (!head.is_websocket_upgrade()) return std::nullopt;
    const auto protocols = head.find(kProtocolField);
    if (!protocols) return std::nullopt;
    std::optional<std::string_view> key;
    http::for_each_element(*protocols, [&](std::string_view element) {
        if (element.starts_with(kProtocolPrefix)) key = element.substr(kProtocolPrefix.size());
    });
    return key;
}

}  // namespace

std::optional<std::string_view> find_key(const http::Head& head) {
    if (const auto authorization = head.find("Authorization")) {
        if (const auto key = bearer_of(*authorization)) return key;
    }
    for (const std::string_view name : {"api-key", "x-api-key"}) {
        const auto key = head.find(name);
        if (key && !key->empty()) return key;
    }
    return protocol_key(head);
}

std::string protocols_without_key(const http::Head& head) {
    std::string kept;
    http::for_each_element(
        head.find(kProtocolField).value_or(std::string_view{}),
        [&](std::string_view element) {
            if (element.starts_with(kProtocolPrefix)) return;
            if (!kept.empty()) kept += ", ";
            kept += element;
        }
    );
    return kept;
}

}  // namespace sluice::gateway
