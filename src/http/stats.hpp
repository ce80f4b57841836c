#pragma once

#include "base/stats.hpp"

namespace sluice::http {

struct ServerStats {
    Gauge connections;  // open now
    Counter requests;   // heads read
    Counter malformed;  // heads or bodies refused
    Counter bytes_received;
    Counter bytes_sent;
    Counter departures;  // callers gone before their answer
};

struct ClientStats {
    Gauge connections;  // open now, idle ones included
    Counter opened;
    Counter connect_failures;
    Counter reused;     // leases served by a kept connection
    Counter retired;    // kept connections closed: stale, too old or too many
    Counter requests;   // heads sent
    Counter malformed;  // answers that were no HTTP
    Counter bytes_received;
    Counter bytes_sent;
};

}  // namespace sluice::http
