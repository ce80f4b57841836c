#pragma once

#include "gateway/reload_state.hpp"
#include "gateway/stats.hpp"
#include "gateway/subject_book.hpp"
#include "http/stats.hpp"
#include "stores/stats.hpp"
#include "telemetry/metrics.hpp"

#include <memory>
#include <vector>

namespace sluice::gateway {

// One worker's counters.
struct WorkerStats {
    const GatewayStats* gateway = nullptr;
    const http::ServerStats* server = nullptr;
    const http::ClientStats* client = nullptr;
    const stores::Stats* store = nullptr;
};

// Registers everything that /metrics shows of a gateway. What is passed outlives `metrics`.
void add_gateway_metrics(
    telemetry::Metrics& metrics,
    const std::vector<WorkerStats>& workers,
    const SubjectBook& book,
    const ReloadState& reloads
);

}  // namespace sluice::gateway
