#pragma once

#include "base/log.hpp"
#include "http/options.hpp"
#include "http/stats.hpp"
#include "net/listener.hpp"
#include "net/task_group.hpp"

#include <functional>
#include <string>

namespace sluice::operators {

// Answers /metrics, /livez and /readyz. Belongs to one worker.
class Admin {
 public:
    struct Pages {
        std::function<std::string()> metrics;
        std::function<std::string()> why_not_alive;  // empty: alive
        std::function<std::string()> why_not_ready;  // empty: ready
    };

    Admin(net::Executor executor, net::Listener listener, Pages pages);

    net::Task<> run();
    void stop();

 private:
    net::Task<> serve(net::Stream stream);

    net::Listener listener_;
    const Pages pages_;
    http::ServerOptions options_;
    http::ServerStats stats_;
    net::TaskGroup connections_;
};

}  // namespace sluice::operators
