#pragma once

#include "base/stats.hpp"
#include "base/time.hpp"
#include "config/fault.hpp"
#include "config/limits_table.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

namespace sluice::gateway {

// Which limit table is in force on every worker, and what the last reading of it brought. Written
// by the table's source, read by the admin port. Thread-safe.
class ReloadState {
 public:
    struct View {
        std::shared_ptr<const config::LimitsTable> table;  // null before the first good one
        WallTime loaded_at{};
        std::uint64_t generation = 0;  // good tables so far
        std::string last_error;        // of the last reading; empty when that was good
    };

    // `table` is in force on all workers now.
    void succeed(std::shared_ptr<const config::LimitsTable> table) {
        const std::lock_guard lock{mutex_};
        view_.table = std::move(table);
        view_.loaded_at = wall_now();
        ++view_.generation;
        view_.last_error.clear();
        good_.add();
        last_was_good_.set(1);
    }
    void fail(const config::Faults& faults) {
        const std::lock_guard lock{mutex_};
        view_.last_error = config::to_text(faults, 10);
        bad_.add();
        last_was_good_.set(0);
    }
    View view() const {
        const std::lock_guard lock{mutex_};
        return view_;
    }

    const Counter& good() const { return good_; }
    const Counter& bad() const { return bad_; }
    const Gauge& last_was_good() const { return last_was_good_; }

 private:
    mutable std::mutex mutex_;
    View view_;  // guarded by mutex_
    Counter good_;
    Counter bad_;
    Gauge last_was_good_;
};

}  // namespace sluice::gateway
