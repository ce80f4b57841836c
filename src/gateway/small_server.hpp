#pragma once

#include "base/time.hpp"
#include "http/options.hpp"
#include "http/server_connection.hpp"
#include "http/stats.hpp"
#include "net/listener.hpp"
#include "net/task.hpp"
#include "net/task_group.hpp"

#include <cstdint>
#include <functional>
#include <list>

namespace sluice::gateway {

// A small HTTP server on one worker: what the admin port and the built-in upstream stand on.
class SmallServer {
 public:
    // Answers the request whose head was just read.
    using Handler = std::function<net::Task<>(http::ServerConnection&)>;

    SmallServer(net::Executor executor, net::Listener listener, Handler handler);
    SmallServer(const SmallServer&) = delete;
    SmallServer& operator=(const SmallServer&) = delete;

    void start();
    // Takes no more, lets answers end until `deadline`, then cuts off.
    net::Task<> stop(Deadline deadline);
    std::uint16_t port() const { return listener_.port(); }

 private:
    net::Task<> accept_all();
    net::Task<> serve(net::Stream stream);

    const http::ServerOptions options_;
    http::ServerStats stats_;
    net::Listener listener_;
    Handler handler_;
    std::list<http::ServerConnection*> callers_;
    net::TaskGroup sessions_;
};

}  // namespace sluice::gateway
