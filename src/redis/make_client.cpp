#include "redis/make_client.hpp"

#include "redis/cluster.hpp"
#include "redis/error.hpp"
#include "redis/sentinel.hpp"
#include "redis/single_client.hpp"
#include "redis/url.hpp"

#include <utility>

namespace sluice::redis {

namespace {

constexpr std::uint16_t kSentinelPort = 26379;

Result<std::vector<net::Endpoint>> read_nodes(const Options& options, const Url& url) {
    const std::uint16_t port = options.mode == Mode::sentinel ? kSentinelPort : 6379;
    std::vector<net::Endpoint> nodes;
    for (const std::string& text : options.nodes) {
        Result<net::Endpoint> node = parse_node(text, port);
        if (!node) return node.error();
        nodes.push_back(std::move(*node));
    }
    if (nodes.empty()) nodes.push_back(url.endpoint);
    return nodes;
}

}  // namespace

Result<std::unique_ptr<Client>> make_client(
    net::Executor executor,
    const Options& options,
    std::vector<std::string> scripts,
    Stats& stats,
    Log& log
) {
    const Result<Url> url = parse_url(options.url);
    if (!url) return url.error();
    Result<std::vector<net::Endpoint>> nodes = read_nodes(options, *url);
    if (!nodes) return nodes.error();

    ConnectionOptions connection;
    connection.is_tls = url->is_tls;
    connection.database = url->database;
    connection.scripts = std::move(scripts);
    connection.username_file = options.username_file;
    connection.password_file = options.password_file;
    connection.ca_file = options.ca_file;
    connection.timeout = options.timeout;

    std::unique_ptr<Client> client;
    if (options.mode == Mode::cluster) {
        client =
            std::make_unique<ClusterClient>(executor, std::move(*nodes), connection, stats, log);
    } else if (options.mode == Mode::sentinel) {
        auto locator = std::make_unique<SentinelLocator>(
            executor, std::move(*nodes), options.master_name, connection
        );
        client = std::make_unique<SingleClient>(
            executor, std::move(locator), std::move(connection), stats, log
        );
    } else {
        client = std::make_unique<SingleClient>(
            executor,
            std::make_unique<FixedLocator>(url->endpoint),
            std::move(connection),
            stats,
            log
        );
    }
    return client;
}

}  // namespace sluice::redis
