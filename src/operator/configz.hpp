#pragma once

#include "http/pool.hpp"
#include "operator/rollout.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace sluice::operators {

// Asks gateways which revision they enforce. Belongs to one worker.
class Configz {
 public:
    explicit Configz(net::Executor executor) : executor_{executor} {
        options_.max_idle = 2;
        options_.connect_timeout = milliseconds{1000};
    }

    // Nothing when it does not answer as a gateway does.
    net::Task<std::optional<std::string>> ask(Replica replica, Deadline deadline);
    // Forgets connections to those that are no more. Not while anything is being asked.
    void keep_only(const std::vector<Replica>& replicas);

 private:
    http::Pool& pool_of(const Replica& replica);

    net::Executor executor_;
    http::ClientOptions options_;
    http::ClientStats stats_;
    std::map<std::pair<std::string, std::uint16_t>, std::unique_ptr<http::Pool>> pools_;
};

}  // namespace sluice::operators
