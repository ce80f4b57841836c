#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::stores {

// Who shares the limits, and when the store may be trusted to hold what all of them admitted. Pure:
// it is shown what stands in the store's list of replicas and decides what to do.
//
// Each replica writes, a few times a second, a value that changes each time (so nobody's clock
// matters), with how many replicas it sees and whether the store has been told all that it
// admitted.
//
// - Others that are there and ready use the store, as we do.
// - One that went silent may be cut off and admit its share alone (limit / replicas, as it saw
// them):
//   that share is kept for it until it is back, says goodbye, or has been silent for five windows.
// - The list carries a name for the life of the data. Another name means that the data were lost:
//   then each replica tells the store again what it admitted, and nobody uses the store before all
//   have done so, or what was lost has left the window anyway.
class Membership {
 public:
    using Fields = std::vector<std::pair<std::string, std::string>>;
    static constexpr std::string_view kLifeField = "life";
    static constexpr milliseconds kSilent{1'500};

    Membership(std::string self, milliseconds window);

    enum class Life { missing, same, other, first };
    // What stands in the list now. `missing`: write kLifeField (if absent) and look again.
    // `other`: the data were lost; `first`: never seen any before.
    Life observe(const Fields& fields, SteadyTime now);
    // All that this replica admitted has been told, in the life last observed.
    void set_told();
    // Contact with the store is lost: this replica may admit on its own from now on.
    void lose(SteadyTime now);

    // The value to write for this replica.
    std::string beat();
    const std::string& self() const { return self_; }
    const std::string& life() const { return life_; }

    // True when the store may decide.
    bool is_store_true(SteadyTime now) const;
    // This replica and those it has seen lately. At least 1.
    std::int64_t replicas() const;
    bool has_ever_joined() const { return has_joined_; }
    // How much of `limit` is kept for replicas that may be cut off.
    std::int64_t kept_of(std::int64_t limit) const { return kept_of(limit, kept_for_); }
    // The numbers of replicas that those saw; a share of limit / n is kept for each.
    const std::vector<std::int64_t>& kept_for() const { return kept_for_; }
    static std::int64_t kept_of(std::int64_t limit, const std::vector<std::int64_t>& kept_for);
    // Fields to be taken off the list: silent for too long.
    std::vector<std::string> forgotten(SteadyTime now) const;

 private:
    struct Member {
        std::string value;
        SteadyTime changed{};
        std::int64_t sees = 1;
        bool is_ready = false;   // in the present life
        bool was_there = false;  // in the latest look
    };
    void read_member(const std::string& name, const std::string& value, SteadyTime now);

    const std::string self_;
    const milliseconds window_;
    const milliseconds forget_after_;
    std::map<std::string, Member> others_;
    std::string life_;
    bool has_joined_ = false;
    bool is_told_ = false;
    bool is_new_life_ = false;  // not all have told yet what the old one held
    SteadyTime life_began_{};
    std::uint64_t beats_ = 0;
    std::vector<std::int64_t> kept_for_;
};

}  // namespace sluice::stores
