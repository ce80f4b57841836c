#include "stores/own_logs.hpp"

namespace sluice::stores {

void OwnLogs::forget_empty(Stripe& stripe, std::int64_t now) {
    std::erase_if(stripe.logs, [&](auto& entry) { return entry.second->is_empty(now); });
}

std::vector<std::string> OwnLogs::subjects(std::int64_t now) {
    std::vector<std::string> names;
    for (Stripe& stripe : stripes_) {
        const std::lock_guard lock{stripe.mutex};
        forget_empty(stripe, now);
        for (const auto& [name, log] : stripe.logs) names.push_back(name);
    }
    return names;
}

void OwnLogs::forget_some(std::int64_t now) {
    Stripe& stripe = stripes_[next_to_forget_.fetch_add(1) % kStripes];
    const std::lock_guard lock{stripe.mutex};
    forget_empty(stripe, now);
}

}  // namespace sluice::stores
