#include "stores/membership.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::stores {

namespace {

constexpr std::size_t kMaxReplicas = 10'000;

// Takes the number in front of the next space off `text`; -1 when there is none.
std::int64_t take_number(std::string_view& text) {
    std::int64_t number = -1;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (text.starts_with(' ')) text.remove_prefix(1);
    return number < 0 ? -1 : number;
}

}  // namespace

Membership::Membership(std::string self, milliseconds window)
    : self_{std::move(self)}, window_{window}, forget_after_{window * 5 + kSilent} {}

// "<count of beats> <replicas seen> <told: 0 or 1> <life>"
std::string Membership::beat() {
    return std::to_string(++beats_) + ' ' + std::to_string(replicas()) + ' ' +
           (is_told_ ? '1' : '0') + ' ' + life_;
}

void Membership::read_member(const std::string& name, const std::string& value, SteadyTime now) {
    if (!others_.contains(name) && others_.size() >= kMaxReplicas) return;
    Member& member = others_[name];
    member.was_there = true;
    if (member.value == value) return;
    std::string_view text{value};
    take_number(text);
    member.sees = std::clamp<std::int64_t>(take_number(text), 1, kMaxReplicas);
    const bool is_told = take_number(text) == 1;
    member.is_ready = is_told && text == life_;
    member.value = value;
    member.changed = now;
}

Membership::Life Membership::observe(const Fields& fields, SteadyTime now) {
    const auto named = std::find_if(fields.begin(), fields.end(), [](const auto& field) {
        return field.first == kLifeField;
    });
    if (named == fields.end() || named->second.empty()) return Life::missing;

    Life life = Life::same;
    if (named->second != life_) {
        life = has_joined_ ? Life::other : Life::first;
        life_ = named->second;
        is_told_ = false;
        is_new_life_ = has_joined_;
        life_began_ = now;
        for (auto& [name, member] : others_) member.is_ready = false;
    }
    has_joined_ = true;
    for (auto& [name, member] : others_) member.was_there = false;
    for (const auto& [name, value] : fields) {
        if (name != kLifeField && name != self_) read_member(name, value, now);
    }
    // Who is no longer on the list has said goodbye, unless the whole list was lost.
    const bool is_list_whole = !is_new_life_;
    std::erase_if(others_, [&](const auto& entry) {
        const Member& member = entry.second;
        return (!member.was_there && is_list_whole) || now - member.changed >= forget_after_;
    });

    kept_for_.clear();
    bool are_all_ready = true;
    for (const auto& [name, member] : others_) {
        const bool is_here = member.is_ready && now - member.changed < kSilent;
        if (!is_here) kept_for_.push_back(member.sees);
        are_all_ready = are_all_ready && is_here;
    }
    // What was lost with the old life has left the window by now.
    if (are_all_ready || now - life_began_ > window_) is_new_life_ = false;
    return life;
}

void Membership::set_told() {
    is_told_ = true;
}

void Membership::lose(SteadyTime) {
    is_told_ = false;
}

bool Membership::is_store_true(SteadyTime) const {
    return has_joined_ && is_told_ && !is_new_life_;
}

std::int64_t Membership::replicas() const {
    return static_cast<std::int64_t>(others_.size()) + 1;
}

std::int64_t Membership::kept_of(std::int64_t limit, const std::vector<std::int64_t>& kept_for) {
    std::int64_t kept = 0;
    for (const std::int64_t sees : kept_for) kept += limit / sees;
    return std::min(kept, limit);
}

std::vector<std::string> Membership::forgotten(SteadyTime now) const {
    std::vector<std::string> names;
    for (const auto& [name, member] : others_) {
        if (now - member.changed >= forget_after_) names.push_back(name);
    }
    return names;
}

}  // namespace sluice::stores
