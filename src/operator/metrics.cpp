#include "operator/metrics.hpp"

#include <string>

namespace sluice::operators {
namespace {

const std::string kPrefix = "sluice_operator_";

void add_reflector(
    telemetry::Metrics& metrics, const std::string& resource, const kube::ReflectorStats& stats
) {
    const telemetry::Labels labels{{"resource", resource}};
    for (std::size_t i = 0; i < kube::kListReasons; ++i) {
        const std::string reason{kube::to_text(static_cast<kube::ListReason>(i))};
        metrics.add(
            kPrefix + "relists_total",
            "Complete lists, by what made them necessary.",
            {{"resource", resource}, {"reason", reason}},
            stats.lists[i]
        );
    }
    metrics.add(kPrefix + "list_failures_total", "Lists that failed.", labels, stats.list_failures);
    metrics.add(kPrefix + "watches_total", "Watches begun.", labels, stats.watches);
    metrics.add(
        kPrefix + "watch_errors_total",
        "Watches that ended by an error.",
        labels,
        stats.watch_errors
    );
    metrics.add(kPrefix + "watch_events_total", "Events and bookmarks.", labels, stats.events);
    metrics.add(kPrefix + "objects", "Objects known.", labels, stats.objects);
    metrics.add(kPrefix + "synced", "1 after the first complete list.", labels, stats.is_synced);
    metrics.add(
        kPrefix + "watch_age_seconds",
        "Time since the API server last said anything on this watch; -1 before the first word.",
        telemetry::Kind::gauge,
        labels,
        [&stats] { return stats.age_seconds(steady_now()); }
    );
}

void add_tables(telemetry::Metrics& metrics, const Stats& stats) {
    const auto add = [&](const char* name, const char* help, const auto& value) {
        metrics.add(kPrefix + name, help, {}, value);
    };
    add("reconcile_seconds",
        "From the decision to look until the tables are written.",
        stats.reconcile_time);
    add("reconciles_total", "Rounds of comparing what is with what should be.", stats.reconciles);
    add("reconcile_failures_total", "Rounds that failed and are repeated.", stats.reconcile_failures
    );
    add("rejected_tables_total",
        "Tables the gateways' parser refused; never written.",
        stats.rejected_tables);
    add("table_writes_total", "ConfigMaps applied.", stats.table_writes);
    add("table_removals_total", "ConfigMaps removed.", stats.table_removals);
    add("table_drifts_total", "Tables found changed by somebody else.", stats.drifts);
    add("table_bytes", "Size of all entries of the limit table.", stats.table_bytes);
    add("table_ceiling_bytes", "The size that fits.", stats.table_ceiling_bytes);
    add("table_subjects", "Subjects in the limit table.", stats.table_subjects);
    add("table_shards", "ConfigMaps that carry the limit table.", stats.table_shards);
}

void add_gateways(telemetry::Metrics& metrics, const Stats& stats) {
    const auto add = [&](const char* name, const char* help, const auto& value) {
        metrics.add(kPrefix + name, help, {}, value);
    };
    add("rollout_seconds",
        "From the write until every ready gateway reported it.",
        stats.rollout_time);
    add("pokes_total", "Gateway pods touched so that they read the table at once.", stats.pokes);
    add("poke_failures_total", "Pods that could not be touched.", stats.poke_failures);
    add("gateways_ready", "Ready gateways.", stats.gateways_ready);
    add("gateways_programmed", "Ready gateways with the newest table.", stats.gateways_programmed);
    add("queue_depth", "Statuses that wait to be written.", stats.queue_depth);
    add("status_writes_total", "Statuses written.", stats.status_writes);
    add("status_failures_total", "Statuses that could not be written.", stats.status_failures);
    add("secret_reads_total", "Secrets read.", stats.secret_reads);
    add("secret_failures_total", "Secrets that could not be read.", stats.secret_failures);
    add("events_total", "Events sent.", stats.events_sent);
    add("events_dropped_total", "Events not sent: too many of one object.", stats.events_dropped);
}

}  // namespace

void add_metrics(
    telemetry::Metrics& metrics, const Stats& stats, std::function<ConditionCounts()> conditions
) {
    const auto add = [&](const char* name, const char* help, const auto& value) {
        metrics.add(kPrefix + name, help, {}, value);
    };
    add("leader", "1 while this process leads.", stats.elector.is_leader);
    add("lease_renewals_total", "Writes of the lease.", stats.elector.renewals);
    add("lease_failures_total", "Tries to have the lease that failed.", stats.elector.failures);
    add("api_calls_total", "Calls of the API server.", stats.client.calls);
    add("api_failures_total", "Calls without an answer, or with 429 or 5xx.", stats.client.failures
    );
    add("api_refused_tokens_total", "Answers 401.", stats.client.refused_tokens);
    add("api_token_reads_total", "Times the token was read.", stats.client.token_reads);
    add("api_authority_reads_total",
        "Times the certificate authority was read.",
        stats.client.authority_reads);
    add("api_call_seconds", "Time of a call of the API server.", stats.client.call_time);
    add_reflector(metrics, "apikeylimits", stats.resources);
    add_reflector(metrics, "endpointslices", stats.slices);
    add_tables(metrics, stats);
    add_gateways(metrics, stats);
    metrics.add_family(
        kPrefix + "condition_objects",
        "ApiKeyLimits by condition and reason.",
        telemetry::Kind::gauge,
        8,
        [conditions](telemetry::Series& series) {
            for (const auto& [condition, count] : conditions()) {
                series.add(
                    {{"type", condition.first}, {"reason", condition.second}},
                    static_cast<double>(count)
                );
            }
        }
    );
}

}  // namespace sluice::operators
