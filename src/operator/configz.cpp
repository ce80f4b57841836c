#include "operator/configz.hpp"

#include <algorithm>

namespace sluice::operators {
namespace {

constexpr std::size_t kMostBytes = 256 * 1024;

net::Task<Result<std::string>> get_configz(
    http::ClientConnection& connection, const std::string& head, Deadline deadline
) {
    (void)co_await connection.send_head(head, "GET", http::Framing::none, {}, deadline);
    if (const Error error = co_await connection.read_head(deadline)) co_return error;
    std::string body;
    for (;;) {
        const Result<std::string_view> piece = co_await connection.read_body_piece(deadline);
        if (!piece) co_return piece.error();
        if (piece->empty()) break;
        if (body.size() + piece->size() > kMostBytes) co_return Error{http::Errc::body_too_large};
        body.append(*piece);
    }
    if (connection.head().status() != 200) body.clear();
    co_return body;
}

}  // namespace

http::Pool& Configz::pool_of(const Replica& replica) {
    std::unique_ptr<http::Pool>& pool = pools_[{replica.address, replica.admin_port}];
    if (!pool) {
        const net::Endpoint endpoint{replica.address, replica.admin_port};
        pool = std::make_unique<http::Pool>(executor_, endpoint, nullptr, options_, stats_);
    }
    return *pool;
}

net::Task<std::optional<std::string>> Configz::ask(Replica replica, Deadline deadline) {
    if (replica.admin_port == 0) co_return std::nullopt;
    http::Pool& pool = pool_of(replica);
    const bool is_v6 = replica.address.find(':') != std::string::npos;
    const std::string host = is_v6 ? "[" + replica.address + "]" : replica.address;
    const std::string head = "GET /configz HTTP/1.1\r\nHost: " + host + ":" +
                             std::to_string(replica.admin_port) + "\r\n\r\n";
    for (const auto prefer : {http::Pool::Prefer::kept, http::Pool::Prefer::fresh}) {
        Result<http::Lease> lease = co_await pool.lease(deadline, prefer);
        if (!lease) co_return std::nullopt;
        const Result<std::string> body = co_await get_configz(**lease, head, deadline);
        if (body) co_return revision_of_configz(*body);
        if (body.error() != http::Errc::nothing_received) co_return std::nullopt;
    }
    co_return std::nullopt;
}

void Configz::keep_only(const std::vector<Replica>& replicas) {
    std::erase_if(pools_, [&](const auto& pool) {
        return pool.second->leased() == 0 &&
               std::none_of(replicas.begin(), replicas.end(), [&](const Replica& replica) {
                   return pool.first == std::pair{replica.address, replica.admin_port};
               });
    });
}

}  // namespace sluice::operators
