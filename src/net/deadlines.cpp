#include "net/deadlines.hpp"

#include <algorithm>

namespace sluice::net {

Deadlines::Deadlines(asio::execution_context& context)
    : service{context},
      origin_{steady_now()},
      timer_{static_cast<asio::io_context&>(context).get_executor()} {}

Deadlines& Deadlines::of(const Executor& executor) {
    return asio::use_service<Deadlines>(executor.context());
}

std::uint64_t Deadlines::tick_of(SteadyTime time) const {
    return time <= origin_ ? 0 : static_cast<std::uint64_t>((time - origin_) / kTick);
}

void Deadlines::add(Entry& entry, Deadline deadline) {
    remove(entry);
    if (deadline.is_never()) {
        never_.push_back(entry);
        return;
    }
    entry.due_ = tick_of(deadline.time()) + 1;  // rounded up: late, never early
    if (!is_armed_) swept_ = tick_of(steady_now());
    place(entry);
    if (!is_armed_) arm();
}

void Deadlines::place(Entry& entry) {
    const std::uint64_t tick = std::clamp(entry.due_, swept_ + 1, swept_ + kSlots - 1);
    slots_[tick % kSlots].push_back(entry);
}

void Deadlines::arm() {
    is_armed_ = true;
    timer_.expires_at(origin_ + (swept_ + 1) * kTick);
    timer_.async_wait([this](const Error& error) {
        if (error) return;
        is_armed_ = false;
        sweep();
    });
}

void Deadlines::sweep() {
    const std::uint64_t now = tick_of(steady_now());
    is_armed_ = true;  // what is added meanwhile must not arm the timer
    while (swept_ < now) {
        ++swept_;
        Slot due;
        due.swap(slots_[swept_ % kSlots]);
        while (!due.empty()) {
            Entry& entry = due.front();
            due.pop_front();
            if (entry.due_ > swept_) {
                place(entry);
            } else {
                entry.on_deadline();
            }
        }
    }
    is_armed_ = false;
    if (!is_idle()) arm();
}

bool Deadlines::is_idle() const {
    return std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.empty(); });
}

void Deadlines::shutdown() {
    const auto drain = [](Slot& slot) {
        while (!slot.empty()) {
            Entry& entry = slot.front();
            slot.pop_front();
            entry.on_shutdown();
        }
    };
    std::for_each(slots_.begin(), slots_.end(), drain);
    drain(never_);
}

}  // namespace sluice::net
