#pragma once

#include "base/stats.hpp"
#include "kube/stats.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace sluice::operators {

// Written by the operator's worker, read by the scrape.
struct Stats {
    kube::ClientStats client;
    kube::ReflectorStats resources;  // of all watched namespaces together
    kube::ReflectorStats slices;
    kube::ElectorStats elector;

    Histogram reconcile_time;  // from the decision to look until the tables are written
    Counter reconciles;
    Counter reconcile_failures;
    Counter rejected_tables;  // refused by the gateway's own parser: never written
    Counter table_writes;     // ConfigMaps applied
    Counter table_removals;
    Counter drifts;  // somebody else changed or removed what we wrote
    Gauge table_bytes;
    Gauge table_ceiling_bytes;
    Gauge table_subjects;
    Gauge table_shards;
    Histogram rollout_time;  // from the write until every ready gateway reported it
    Counter pokes;
    Counter poke_failures;
    Gauge gateways_ready;
    Gauge gateways_programmed;  // with the newest table
    Gauge queue_depth;          // statuses waiting to be written
    Counter status_writes;
    Counter status_failures;
    Counter secret_reads;
    Counter secret_failures;
    Counter events_sent;
    Counter events_dropped;
};

// How many resources have each condition with each reason; touched by the operator's worker, and
// read by the scrape on the same worker.
using ConditionCounts = std::map<std::pair<std::string, std::string>, std::int64_t>;

}  // namespace sluice::operators
