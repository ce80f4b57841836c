#pragma once

#include "config/config.hpp"
#include "gateway/reload_state.hpp"
#include "gateway/small_server.hpp"
#include "telemetry/metrics.hpp"

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

namespace sluice::gateway {

// What the admin port needs to know; all of it thread-safe, outliving the port.
struct AdminView {
    const config::Config& config;
    const telemetry::Metrics& metrics;
    const ReloadState& reloads;
    std::string_view version;
    std::function<bool()> is_alive;  // every worker's loop turns
    std::function<bool()> is_ready;  // listening, a table is loaded, not stopping
};

struct AdminAnswer {
    unsigned status = 200;
    std::string_view content_type;
    std::string body;
};

// /metrics /livez /readyz /configz. Pure but for what it looks at.
AdminAnswer answer_admin(const AdminView& view, std::string_view method, std::string_view target);

// Serves it on one worker.
class AdminServer {
 public:
    AdminServer(net::Executor executor, net::Listener listener, AdminView view);

    void start() { server_.start(); }
    net::Task<> stop(Deadline deadline) { return server_.stop(deadline); }
    std::uint16_t port() const { return server_.port(); }

 private:
    net::Task<> answer(http::ServerConnection& caller);

    AdminView view_;
    SmallServer server_;
};

}  // namespace sluice::gateway
