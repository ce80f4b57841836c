#include "operator/status.hpp"

#include <algorithm>

namespace sluice::operators {
namespace {

struct Told {
    const char* status;
    std::string reason;
    std::string message;
};

std::string of(int programmed, int ready) {
    return std::to_string(programmed) + " of " + std::to_string(ready) + " ready gateways";
}

Told tell_accepted(const Outcome& outcome) {
    const bool is_accepted = outcome.verdict.acceptance == Acceptance::accepted;
    return {
        is_accepted ? "True" : "False",
        std::string{to_reason(outcome.verdict.acceptance)},
        outcome.verdict.message};
}

Told tell_programmed(const Outcome& outcome, const Programmed& count) {
    if (outcome.verdict.is_too_large) {
        return {
            "False",
            "ConfigTooLarge",
            "the limit tables are full: older objects keep their limits, this one has none in "
            "force"};
    }
    if (!outcome.write_failure.empty()) {
        return {"False", "Pending", "the limit table cannot be written: " + outcome.write_failure};
    }
    if (!outcome.verdict.is_in_table) {
        return {"False", "NotAccepted", "no key of this object is in force"};
    }
    if (count.ready == 0) return {"False", "NoReadyReplicas", "no gateway is ready"};
    if (count.programmed == 0) {
        return {"False", "Pending", of(0, count.ready) + " enforce this generation"};
    }
    if (count.programmed < count.ready) {
        return {
            "False",
            "PartiallyProgrammed",
            of(count.programmed, count.ready) + " enforce this generation"};
    }
    return {"True", "Programmed", of(count.programmed, count.ready) + " enforce this generation"};
}

Told tell_ready(const Told& accepted, const Told& programmed) {
    if (std::string_view{accepted.status} != "True") return accepted;
    if (std::string_view{programmed.status} != "True") return programmed;
    return {"True", "Ready", programmed.message};
}

Condition to_condition(
    const char* type, Told told, const Outcome& outcome, const Status& known, WallTime now
) {
    Condition condition;
    condition.type = type;
    condition.status = told.status;
    condition.reason = std::move(told.reason);
    condition.message = std::move(told.message);
    condition.observed_generation = outcome.generation;
    const Condition* before = known.find(type);
    condition.since =
        before != nullptr && before->status == condition.status && !before->since.empty()
            ? before->since
            : kube::to_second_time(now);
    return condition;
}

}  // namespace

Status make_status(
    const Outcome& outcome, const Programmed& programmed, const Status& known, WallTime now
) {
    const Told accepted = tell_accepted(outcome);
    const Told loaded = tell_programmed(outcome, programmed);
    Status status;
    status.observed_generation = outcome.generation;
    status.revision = outcome.revision;
    status.ready = programmed.ready;
    status.programmed = outcome.verdict.is_in_table ? programmed.programmed : 0;
    status.conditions.push_back(to_condition("Accepted", accepted, outcome, known, now));
    status.conditions.push_back(to_condition("Programmed", loaded, outcome, known, now));
    status.conditions.push_back(
        to_condition("Ready", tell_ready(accepted, loaded), outcome, known, now)
    );
    return status;
}

bool is_news(const Status& status, const Status& known) {
    if (status.observed_generation != known.observed_generation || status.ready != known.ready ||
        status.programmed != known.programmed) {
        return true;
    }
    return std::any_of(
        status.conditions.begin(),
        status.conditions.end(),
        [&](const Condition& condition) {
            const Condition* before = known.find(condition.type);
            return before == nullptr || *before != condition;
        }
    );
}

std::string status_patch(const Resource& resource, const Status& status) {
    kube::Json conditions = kube::Json::array();
    for (const Condition& condition : status.conditions) {
        conditions.push_back(kube::Json{
            {"type", condition.type},
            {"status", condition.status},
            {"reason", condition.reason},
            {"message", condition.message},
            {"lastTransitionTime", condition.since},
            {"observedGeneration", condition.observed_generation},
        });
    }
    const std::string summary =
        std::to_string(status.programmed) + "/" + std::to_string(status.ready);
    kube::Json replicas{
        {"ready", status.ready}, {"programmed", status.programmed}, {"summary", summary}};
    kube::Json body{
        {"apiVersion", "sluice.dev/v1alpha1"},
        {"kind", "ApiKeyLimit"},
        {"metadata",
         {{"name", resource.name}, {"namespace", resource.namespace_name}, {"uid", resource.uid}}},
        {"status",
         {{"observedGeneration", status.observed_generation},
          {"revision", status.revision},
          {"replicas", std::move(replicas)},
          {"conditions", std::move(conditions)}}},
    };
    return kube::to_text(body);
}

}  // namespace sluice::operators
