#pragma once

#include "stores/own_log.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sluice::stores {

// The own logs of all subjects, shared by the workers of one process: stripes, each under its own
// lock. Thread-safe.
class OwnLogs {
 public:
    explicit OwnLogs(milliseconds window) : window_{window} {}

    // Calls `use` with the log of `subject`, which is made when there is none, under its lock.
    template <class Use>
    auto with(const std::string& subject, Use use) {
        Stripe& stripe = stripe_of(subject);
        const std::lock_guard lock{stripe.mutex};
        std::unique_ptr<OwnLog>& log = stripe.logs[subject];
        if (!log) log = std::make_unique<OwnLog>(window_);
        return use(*log);
    }

    // Subjects with something in their logs; forgets the others.
    std::vector<std::string> subjects(std::int64_t now);
    // The same for a part of them only, to be called now and then.
    void forget_some(std::int64_t now);

    // Set whenever something is owed; whoever tells the store of all of it clears it first.
    std::atomic<bool> owes{false};

 private:
    static constexpr std::size_t kStripes = 64;
    struct Stripe {
        std::mutex mutex;
        std::unordered_map<std::string, std::unique_ptr<OwnLog>> logs;
    };
    Stripe& stripe_of(const std::string& subject) {
        return stripes_[std::hash<std::string>{}(subject) % kStripes];
    }
    static void forget_empty(Stripe& stripe, std::int64_t now);

    const milliseconds window_;
    std::array<Stripe, kStripes> stripes_;
    std::atomic<std::size_t> next_to_forget_{0};
};

}  // namespace sluice::stores
