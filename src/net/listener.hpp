#pragma once

#include "base/result.hpp"
#include "net/stream.hpp"
#include "net/task.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>

#include <cstdint>
#include <string>

namespace sluice::net {

// Accepts connections for one worker. Several listeners, one a worker, may be bound to one address:
// the kernel spreads connections over them (SO_REUSEPORT).
class Listener {
 public:
    // `address` is an IPv4 or IPv6 literal; "" and "::" mean every address of both families. Port 0
    // lets the system choose.
    static Result<Listener> open(Executor executor, const std::string& address, std::uint16_t port);

    // The next connection. Trouble that passes by itself (no file descriptors left, a connection
    // reset before it was accepted) is waited out within. Fails only once closed or cancelled:
    // asio::error::operation_aborted.
    Task<Result<Stream>> accept();

    // A pending accept ends with an error. Connections the kernel had queued are reset.
    void close();
    bool is_open() const { return acceptor_.is_open(); }
    std::uint16_t port() const { return port_; }

 private:
    using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, Executor>;

    explicit Listener(Acceptor acceptor, std::uint16_t port)
        : acceptor_{std::move(acceptor)}, port_{port} {}

    Acceptor acceptor_;
    std::uint16_t port_;
};

}  // namespace sluice::net
