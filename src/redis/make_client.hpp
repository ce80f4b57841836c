#pragma once

#include "base/log.hpp"
#include "net/task.hpp"
#include "redis/client.hpp"
#include "redis/options.hpp"
#include "redis/stats.hpp"

#include <memory>
#include <string>
#include <vector>

namespace sluice::redis {

// The client that `options` asks for, not yet started. Errc::bad_url when they make no sense, which
// the configuration should have said before. `scripts` are loaded at each connection, as far as the
// server allows; `stats` and `log` outlive the client.
Result<std::unique_ptr<Client>> make_client(
    net::Executor executor,
    const Options& options,
    std::vector<std::string> scripts,
    Stats& stats,
    Log& log
);

}  // namespace sluice::redis
