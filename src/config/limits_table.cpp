#include "config/limits_table.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <random>
#include <utility>

namespace sluice::config {
namespace {

// All 32 bytes count, and the seed is of this process: a digest may be chosen by whoever writes a
// `hash:`, and must not be able to make the table slow.
std::uint64_t mix(const Digest& digest, std::uint64_t seed) {
    std::uint64_t hash = seed;
    for (std::size_t word = 0; word < 4; ++word) {
        std::uint64_t value = 0;
        std::memcpy(&value, digest.bytes().data() + word * sizeof value, sizeof value);
        hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
        hash ^= hash >> 32;
    }
    return hash;
}

std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

LimitsTable::LimitsTable(std::string revision, std::vector<Subject> subjects)
    : revision_{std::move(revision)}, subjects_{std::move(subjects)}, seed_{random_seed()} {
    std::size_t keys = 0;
    for (const Subject& subject : subjects_) keys += subject.keys.size();
    if (keys == 0) return;
    entries_.reserve(keys);
    places_.resize(std::bit_ceil(2 * keys));
    for (std::size_t i = 0; i < subjects_.size(); ++i) {
        for (const Digest& digest : subjects_[i].keys) {
            const std::size_t place = place_of(digest);
            assert(places_[place] == 0);
            entries_.push_back({digest, static_cast<std::uint32_t>(i)});
            places_[place] = static_cast<std::uint32_t>(entries_.size());
        }
    }
}

// Where `digest` stands, or else the free place where it would. At most half the places are taken.
std::size_t LimitsTable::place_of(const Digest& digest) const {
    const std::size_t mask = places_.size() - 1;
    std::size_t place = static_cast<std::size_t>(mix(digest, seed_)) & mask;
    while (places_[place] != 0 && entries_[places_[place] - 1].digest != digest) {
        place = (place + 1) & mask;
    }
    return place;
}

const Subject* LimitsTable::find(const Digest& digest) const {
    if (places_.empty()) return nullptr;
    const std::uint32_t entry = places_[place_of(digest)];
    return entry == 0 ? nullptr : &subjects_[entries_[entry - 1].subject];
}

const Subject* LimitsTable::find_by_name(std::string_view name) const {
    const auto found = std::find_if(subjects_.begin(), subjects_.end(), [&](const Subject& s) {
        return s.name == name;
    });
    return found == subjects_.end() ? nullptr : &*found;
}

}  // namespace sluice::config
