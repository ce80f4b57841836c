#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "http/client_connection.hpp"
#include "http/server_connection.hpp"
#include "net/task.hpp"

#include <cstdint>

namespace sluice::http {

struct TunnelOutcome {
    std::uint64_t from_caller = 0;    // bytes
    std::uint64_t from_upstream = 0;  // bytes
    Error error;                      // none when one side closed in order; timed_out when idle
};

// Carries bytes both ways, untouched, after 101 Switching Protocols was flushed to the caller:
// first what either side sent already, then as it comes. Ends when one side has closed and what it
// sent was delivered, on any error, or when nothing came either way for `idle_timeout`. Both
// connections are closed then.
net::Task<TunnelOutcome> tunnel(
    ServerConnection& caller, ClientConnection& upstream, milliseconds idle_timeout
);

}  // namespace sluice::http
