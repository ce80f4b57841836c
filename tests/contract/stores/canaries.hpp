#pragma once

#include "limits/window.hpp"
#include "tests/contract/store_contract.hpp"

#include <algorithm>
#include <map>
#include <memory>

// Limiters with the faults that others have. Each has to fail the contract, or the contract proves
// nothing.
namespace sluice::testing {

template <class Canary>
Contenders canaries() {
    return [](milliseconds window) { return std::make_unique<Canary>(window); };
}

// What most of them share: a count of input tokens, requests and output that forgets in its own
// way.
class Canary : public Contender {
 public:
    explicit Canary(milliseconds window) : length_{window}, window_{window} {}
    void set_time(WallTime now) override { now_ = now; }
    limits::Decision acquire(const limits::Limits& limits, const limits::Amounts& amounts)
        override {
        return window_.acquire(limits, amounts, now_);
    }
    void settle(const limits::Settlement& settlement) override { window_.settle(settlement, now_); }
    limits::Usage peek() override { return window_.peek(now_); }

 protected:
    std::int64_t clock() const {
        return std::chrono::floor<milliseconds>(now_.time_since_epoch()).count();
    }
    // Admits when in each dimension `held` leaves room.
    static bool fits(
        const limits::Limits& limits, const limits::Amounts& held, const limits::Amounts& amounts
    ) {
        return std::ranges::all_of(limits::kAllDimensions, [&](limits::Dimension d) {
            return !limits[d] || held[d] + amounts[d] <= *limits[d];
        });
    }
    static void add(limits::Amounts& to, const limits::Amounts& what) {
        for (const limits::Dimension d : limits::kAllDimensions) to[d] += what[d];
    }
    static limits::Decision answer(bool is_admitted, const limits::Amounts& used) {
        limits::Decision decision;
        decision.is_admitted = is_admitted;
        decision.usage.used = used;
        return decision;
    }

    milliseconds length_;
    limits::Window window_;
    WallTime now_;
};

// Counts from the edge of one minute to the next.
class FixedWindow final : public Canary {
 public:
    using Canary::Canary;
    limits::Decision acquire(const limits::Limits& limits, const limits::Amounts& amounts)
        override {
        limits::Amounts& held = counts_[clock() / length_.count()];
        const bool is_admitted = fits(limits, held, amounts);
        if (is_admitted) add(held, amounts);
        return answer(is_admitted, held);
    }

 private:
    std::map<std::int64_t, limits::Amounts> counts_;
};

// Weighs the previous minute by how much of it is still in the window.
class TwoBuckets final : public Canary {
 public:
    using Canary::Canary;
    limits::Decision acquire(const limits::Limits& limits, const limits::Amounts& amounts)
        override {
        const std::int64_t bucket = clock() / length_.count();
        const std::int64_t left = length_.count() - clock() % length_.count();
        limits::Amounts held = counts_[bucket];
        for (const limits::Dimension d : limits::kAllDimensions) {
            held[d] += counts_[bucket - 1][d] * left / length_.count();
        }
        const bool is_admitted = fits(limits, held, amounts);
        if (is_admitted) add(counts_[bucket], amounts);
        return answer(is_admitted, held);
    }

 private:
    std::map<std::int64_t, limits::Amounts> counts_;
};

// Refills evenly up to a full limit.
class TokenBucket final : public Canary {
 public:
    using Canary::Canary;
    limits::Decision acquire(const limits::Limits& limits, const limits::Amounts& amounts)
        override {
        for (const limits::Dimension d : limits::kAllDimensions) {
            if (!limits[d]) continue;
            const std::int64_t drained = *limits[d] * (clock() - last_) / length_.count();
            held_[d] = std::max<std::int64_t>(held_[d] - drained, 0);
        }
        last_ = clock();
        const bool is_admitted = fits(limits, held_, amounts);
        if (is_admitted) add(held_, amounts);
        return answer(is_admitted, held_);
    }

 private:
    limits::Amounts held_;
    std::int64_t last_ = 0;
};

// Right, as long as nobody comes between looking and taking.
class CheckThenAct final : public Canary {
 public:
    using Canary::Canary;
    std::vector<limits::Decision> acquire_at_once(
        std::size_t count, const limits::Limits& limits, const limits::Amounts& amounts
    ) override {
        std::vector<bool> checks;
        for (std::size_t i = 0; i < count; ++i) {
            checks.push_back(fits(limits, window_.peek(now_).used, amounts));
        }
        std::vector<limits::Decision> decisions;
        for (const bool fits_now : checks) {
            decisions.push_back(window_.acquire(fits_now ? limits::Limits{} : limits, amounts, now_)
            );
        }
        return decisions;
    }
};

// Takes ten at a time and spends them later, counted from when it took them.
class GrantTimeLease final : public Canary {
 public:
    using Canary::Canary;
    limits::Decision acquire(const limits::Limits& limits, const limits::Amounts& amounts)
        override {
        if (!fits({left_.requests, left_.input_tokens, left_.output_tokens}, {}, amounts)) {
            limits::Amounts batch;
            for (const limits::Dimension d : limits::kAllDimensions) batch[d] = 10 * amounts[d];
            if (!window_.acquire(limits, batch, now_).is_admitted) {
                return window_.acquire(limits, amounts, now_);
            }
            left_ = batch;
        }
        for (const limits::Dimension d : limits::kAllDimensions) left_[d] -= amounts[d];
        return answer(true, window_.peek(now_).used);
    }

 private:
    limits::Amounts left_;
};

// One window a dimension, asked one after the other.
class OneByOne final : public Canary {
 public:
    using Canary::Canary;
    limits::Decision acquire(const limits::Limits& limits, const limits::Amounts& amounts)
        override {
        limits::Decision decision;
        for (const limits::Dimension d : limits::kAllDimensions) {
            limits::Amounts one;
            one[d] = amounts[d];
            decision = window_.acquire(limits, one, now_);
            if (!decision.is_admitted) break;
        }
        return decision;
    }
};

class WaitsForTheWholeWindow final : public Canary {
 public:
    using Canary::Canary;
    limits::Decision acquire(const limits::Limits& limits, const limits::Amounts& amounts)
        override {
        limits::Decision decision = Canary::acquire(limits, amounts);
        if (!decision.is_admitted && !decision.fits_never) decision.retry_after = length_;
        return decision;
    }
};

class ForgetsRefunds final : public Canary {
 public:
    using Canary::Canary;
    void settle(const limits::Settlement&) override {}
};

}  // namespace sluice::testing
