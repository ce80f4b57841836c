#pragma once

#include "limits/decision.hpp"
#include "limits/types.hpp"

#include <cstdint>

namespace sluice::gateway {

// The bill of one admitted request: what was charged so far, and what to tell the store so that it
// ends at what was really used. Pure.
//
// A refund goes to the slot that was charged at the beginning. What was debited later, while the
// stream flowed, lies in slots of its own and is not given back: it was delivered.
class Account {
 public:
    Account(limits::Slot slot, limits::Amounts reserved) : slot_{slot}, reserved_{reserved} {}

    // Output tokens delivered so far exceed what was charged by at least `step`: the debit to send.
    // Zero amounts when there is nothing to do yet.
    limits::Settlement debit(std::int64_t delivered_output, std::int64_t step) {
        limits::Settlement settlement;
        const std::int64_t owed = delivered_output - reserved_.output_tokens - debited_output_;
        if (owed >= step) {
            debited_output_ += owed;
            settlement.used.output_tokens = owed;
        }
        return settlement;
    }

    // The end: replaces all charges by `used`.
    limits::Settlement settle(const limits::Amounts& used) const {
        limits::Settlement settlement{slot_, reserved_, used};
        const std::int64_t output = used.output_tokens - debited_output_;
        settlement.used.output_tokens = output < 0 ? 0 : output;
        return settlement;
    }

    const limits::Amounts& reserved() const { return reserved_; }
    std::int64_t debited_output() const { return debited_output_; }

 private:
    limits::Slot slot_;
    limits::Amounts reserved_;
    std::int64_t debited_output_ = 0;
};

}  // namespace sluice::gateway
