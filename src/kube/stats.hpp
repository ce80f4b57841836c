#pragma once

#include "base/stats.hpp"
#include "kube/reflect.hpp"

#include <array>
#include <atomic>

namespace sluice::kube {

struct ClientStats {
    Counter calls;
    Counter failures;        // no answer, or one with 5xx or 429
    Counter refused_tokens;  // 401
    Counter token_reads;
    Counter authority_reads;
    Histogram call_time;
};

// Of one reflector.
struct ReflectorStats {
    std::array<Counter, kListReasons> lists;  // complete ones, by reason
    Counter list_failures;
    Counter watches;       // begun
    Counter watch_errors;  // ended by anything but the server's own wish
    Counter events;        // bookmarks too
    Gauge objects;
    Gauge is_synced;                            // 1 after the first complete list
    std::atomic<SteadyTime::rep> last_sign{0};  // when the server last said anything; 0: never

    // How old what we know may be.
    double age_seconds(SteadyTime now) const {
        const SteadyTime::rep last = last_sign.load(std::memory_order_relaxed);
        if (last == 0) return -1;
        return std::chrono::duration<double>(now.time_since_epoch() - SteadyTime::duration{last})
            .count();
    }
};

struct ElectorStats {
    Gauge is_leader;
    Counter renewals;
    Counter failures;
};

}  // namespace sluice::kube
