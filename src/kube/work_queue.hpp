#pragma once

#include "base/time.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

namespace sluice::kube {

// Collects a burst of changes into one: due when it has been quiet for a while, or at the latest so
// long after the first. Pure.
class Debounce {
 public:
    Debounce(milliseconds quiet, milliseconds patience) : quiet_{quiet}, patience_{patience} {}

    void touch(SteadyTime now) {
        if (!first_) first_ = now;
        last_ = now;
    }
    bool is_touched() const { return first_.has_value(); }
    // When to act; nothing while untouched.
    std::optional<SteadyTime> due() const {
        if (!first_) return std::nullopt;
        return std::min(last_ + quiet_, *first_ + patience_);
    }
    bool is_due(SteadyTime now) const { return first_ && now >= *due(); }
    void clear() { first_.reset(); }

 private:
    milliseconds quiet_;
    milliseconds patience_;
    std::optional<SteadyTime> first_;
    SteadyTime last_{};
};

struct WorkQueueOptions {
    milliseconds first_retry{5};  // doubles with each failure of the same item
    milliseconds last_retry{1'000'000};
    double per_second = 10;  // retries of all items together, after a burst of
    double burst = 100;
};

// Names of things to do. A name that waits is there once; one that is being done and is added
// again is done once more afterwards, never twice at a time. After client-go's util/workqueue.
// Pure.
class WorkQueue {
 public:
    explicit WorkQueue(WorkQueueOptions options = WorkQueueOptions()) : options_{options} {}

    void add(const std::string& name, SteadyTime now);
    // Not before `when`. Sooner wins.
    void add_at(const std::string& name, SteadyTime when);
    // The next one that is due; `done` must follow.
    std::optional<std::string> take(SteadyTime now);
    void done(const std::string& name, SteadyTime now);
    // It failed: again later, the later the more often it failed. Answers when. Call before `done`.
    SteadyTime retry(const std::string& name, SteadyTime now);
    // It succeeded: its failures are forgotten.
    void forget(const std::string& name) { failures_.erase(name); }
    // Nothing of this name waits any longer.
    void remove(const std::string& name);

    // When the next one is due; nothing when none waits.
    std::optional<SteadyTime> next_due() const;
    std::size_t waiting() const { return when_.size(); }
    std::size_t in_work() const { return processing_.size(); }

 private:
    milliseconds overall_delay(SteadyTime now);

    WorkQueueOptions options_;
    std::set<std::pair<SteadyTime, std::string>> order_;
    std::unordered_map<std::string, SteadyTime> when_;
    std::set<std::string> processing_;
    std::map<std::string, SteadyTime> again_;  // added while being done
    std::unordered_map<std::string, int> failures_;
    double tokens_ = 0;
    SteadyTime filled_{};
    bool is_filled_ = false;
};

}  // namespace sluice::kube
