#pragma once

#include "operator/stats.hpp"
#include "telemetry/metrics.hpp"

#include <functional>

namespace sluice::operators {

// Everything of `stats`, which outlives `metrics`. `conditions` is asked at the scrape.
void add_metrics(
    telemetry::Metrics& metrics, const Stats& stats, std::function<ConditionCounts()> conditions
);

}  // namespace sluice::operators
