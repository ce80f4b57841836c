#include "kube/work_queue.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace sluice::kube {

void WorkQueue::add(const std::string& name, SteadyTime now) {
    add_at(name, now);
}

void WorkQueue::add_at(const std::string& name, SteadyTime when) {
    if (processing_.contains(name)) {
        const auto [place, is_new] = again_.try_emplace(name, when);
        if (!is_new) place->second = std::min(place->second, when);
        return;
    }
    const auto [place, is_new] = when_.try_emplace(name, when);
    if (!is_new) {
        if (place->second <= when) return;
        order_.erase({place->second, name});
        place->second = when;
    }
    order_.emplace(when, name);
}

std::optional<std::string> WorkQueue::take(SteadyTime now) {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    std::string name = order_.begin()->second;
    order_.erase(order_.begin());
    when_.erase(name);
    processing_.insert(name);
    return name;
}

void WorkQueue::done(const std::string& name, SteadyTime now) {
    assert(processing_.contains(name));
    processing_.erase(name);
    const auto again = again_.find(name);
    if (again == again_.end()) return;
    const SteadyTime when = std::max(again->second, now);
    again_.erase(again);
    add_at(name, when);
}

// Calls arrive as they like; each takes a token, and what is missing is waited for.
milliseconds WorkQueue::overall_delay(SteadyTime now) {
    if (!is_filled_) {
        is_filled_ = true;
        tokens_ = options_.burst;
    } else {
        const double elapsed = std::chrono::duration<double>(now - filled_).count();
        tokens_ = std::min(options_.burst, tokens_ + elapsed * options_.per_second);
    }
    filled_ = now;
    tokens_ -= 1;
    if (tokens_ >= 0) return milliseconds{0};
    return milliseconds{static_cast<std::int64_t>(-tokens_ / options_.per_second * 1000)};
}

SteadyTime WorkQueue::retry(const std::string& name, SteadyTime now) {
    const int failures = failures_[name]++;
    const double grown =
        static_cast<double>(options_.first_retry.count()) * std::pow(2.0, std::min(failures, 40));
    const milliseconds own{
        static_cast<std::int64_t>(std::min(grown, static_cast<double>(options_.last_retry.count()))
        )};
    const SteadyTime when = now + std::max(own, overall_delay(now));
    add_at(name, when);
    return when;
}

void WorkQueue::remove(const std::string& name) {
    again_.erase(name);
    failures_.erase(name);
    const auto place = when_.find(name);
    if (place == when_.end()) return;
    order_.erase({place->second, name});
    when_.erase(place);
}

std::optional<SteadyTime> WorkQueue::next_due() const {
    if (order_.empty()) return std::nullopt;
    return order_.begin()->first;
}

}  // namespace sluice::kube
