#pragma once

#include "operator/desired.hpp"
#include "operator/resource.hpp"
#include "operator/rollout.hpp"

#include <optional>
#include <string>

namespace sluice::operators {

// What became of one generation of a resource: the ground of its status.
struct Outcome {
    std::int64_t generation = 0;
    Verdict verdict;
    std::uint64_t place = 0;    // in the rollout: the write that first carried its entry
    std::string revision;       // the name of that write
    std::string write_failure;  // why it could not be written, when it could not
    friend bool is_same_entry(const Outcome& a, const Outcome& b) {
        return a.verdict.is_in_table == b.verdict.is_in_table &&
               a.verdict.fingerprint == b.verdict.fingerprint;
    }
};

// The status that tells the truth now. Times of conditions are kept from `known` where the
// condition has not changed its status. Pure.
Status make_status(
    const Outcome& outcome, const Programmed& programmed, const Status& known, WallTime now
);

// Whether it says something that `known` does not. The revision alone does not count: every change
// of any other subject moves it.
bool is_news(const Status& status, const Status& known);

// The body of a server-side apply to the status subresource.
std::string status_patch(const Resource& resource, const Status& status);

}  // namespace sluice::operators
