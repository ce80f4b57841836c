#pragma once

#include "base/time.hpp"
#include "limits/decision.hpp"
#include "limits/types.hpp"

#include <array>
#include <cstdint>

namespace sluice::stores {

// What this replica itself admitted of one subject within the last window, and what the store last
// said of it. From this it decides while the store is away, tells the store afterwards, and notices
// when the store has forgotten. Pure; times are milliseconds of this process's own clock.
//
// A window is 32 coarse slots. A slot counts until the last instant in it has left the window, so
// that rounding can delay a request (by a 32nd of the window) and can never admit one too early.
//
// Each amount is either `held` by the store, which was told of it, or `owed` to it.
class OwnLog {
 public:
    explicit OwnLog(milliseconds window);

    // ---- Through the store ----------------------------------------------------------------------

    // The store admitted `amounts` at `at`.
    void note_admitted(std::int64_t at, const limits::Amounts& amounts);
    // The store said, at `now`, that all replicas together have used `total`.
    void note_total(std::int64_t now, const limits::Amounts& total);
    // A settlement of what the store admitted at `at` (and is being told of as well).
    void settle_held(std::int64_t at, std::int64_t now, const limits::Settlement& settlement);
    // True when the store says less than what it was surely told by this replica alone.
    bool is_forgotten(std::int64_t now, const limits::Amounts& total);

    // ---- Without it -----------------------------------------------------------------------------

    // Decides alone, as one of `replicas` that share `limits`. At most limit / replicas is admitted
    // in any window; and for a window after the store's last word no more than this replica had
    // used then, plus its part of what nobody had.
    limits::Decision decide(
        std::int64_t now,
        const limits::Limits& limits,
        const limits::Amounts& amounts,
        std::int64_t replicas
    );
    // A settlement of what `decide` admitted at `at`.
    void settle_owed(std::int64_t at, std::int64_t now, const limits::Settlement& settlement);

    // ---- Telling the store afterwards
    // -------------------------------------------------------------

    bool owes() const { return !is_zero(owed_); }
    // What the store has still to be told; from then on it counts as told.
    limits::Amounts take_owed(std::int64_t now);
    // What was admitted since `since`, told or not; from then on it counts as told.
    limits::Amounts take_since(std::int64_t now, std::int64_t since);
    // It could not be told of `amounts`, just taken: they are owed again.
    void owe_again(std::int64_t now, const limits::Amounts& amounts);

    limits::Amounts total(std::int64_t now);
    bool is_empty(std::int64_t now);

 private:
    static constexpr std::int64_t kSlots = 32;
    static constexpr std::size_t kRing = 36;  // and the ones that are about to begin or to end

    struct Slot {
        std::int64_t number = 0;
        limits::Amounts held;
        limits::Amounts owed;
    };

    static bool is_zero(const limits::Amounts& amounts) { return amounts == limits::Amounts{}; }
    std::int64_t number_of(std::int64_t at) const { return at / slot_ms_; }
    // The slot of `at`, or null when it has left the window.
    Slot* slot_of(std::int64_t at);
    Slot& current(std::int64_t now);
    void expire(std::int64_t now);
    void clear(Slot& slot);
    void owe(std::int64_t now, const limits::Amounts& amounts);
    std::int64_t cap(
        limits::Dimension d, std::int64_t now, std::int64_t limit, std::int64_t replicas
    ) const;
    milliseconds wait_for(limits::Dimension d, std::int64_t now, std::int64_t surplus) const;
    milliseconds empty_in(limits::Dimension d, std::int64_t now) const;
    milliseconds time_left(const Slot& slot, std::int64_t now) const;

    std::int64_t window_ms_;
    std::int64_t slot_ms_;
    std::int64_t oldest_ = 0;  // slots before this number are gone
    std::int64_t newest_ = 0;
    limits::Amounts held_;  // sums over the ring
    limits::Amounts owed_;
    std::array<Slot, kRing> ring_{};

    bool has_heard_ = false;  // of the store, and what follows is what it said
    std::int64_t heard_at_ = 0;
    limits::Amounts heard_total_;
    limits::Amounts own_then_;
};

}  // namespace sluice::stores
