#include "stores/shared.hpp"

#include "stores/membership.hpp"

#include <algorithm>
#include <utility>

namespace sluice::stores {

namespace {

constexpr std::int64_t kClockTolerance = 250;  // the store's clock against ours, in milliseconds
constexpr std::size_t kMaxSuspects = 4'096;

MemoryTable::Options table_options(milliseconds window) {
    MemoryTable::Options options;
    options.window = window;
    return options;
}

}  // namespace

Shared::Shared(const Options&, milliseconds window_, std::string replica_)
    : window{window_}, replica{std::move(replica_)}, table{table_options(window_)}, logs{window_} {}

void Shared::suspect(const std::string& subject) {
    {
        const std::lock_guard lock{mutex_};
        const bool is_known =
            std::find(suspects_.begin(), suspects_.end(), subject) != suspects_.end();
        if (!is_known && suspects_.size() < kMaxSuspects) suspects_.push_back(subject);
    }
    doubt();
}

std::vector<std::string> Shared::take_suspects() {
    const std::lock_guard lock{mutex_};
    return std::exchange(suspects_, {});
}

void Shared::set_members(std::int64_t replicas, std::vector<std::int64_t> kept_for) {
    replicas_.store(replicas, std::memory_order_relaxed);
    const std::lock_guard lock{mutex_};
    keeps_some_.store(!kept_for.empty(), std::memory_order_relaxed);
    kept_for_ = std::move(kept_for);
}

void Shared::reduce(limits::Limits& limits) const {
    if (!keeps_some_.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock{mutex_};
    for (const limits::Dimension d : limits::kAllDimensions) {
        if (limits[d]) *limits[d] -= Membership::kept_of(*limits[d], kept_for_);
    }
}

std::int64_t Shared::now_ms() {
    return std::chrono::duration_cast<milliseconds>(steady_now().time_since_epoch()).count();
}

void Shared::note_clock(std::uint64_t label_ms, std::int64_t now) {
    const std::int64_t seen = static_cast<std::int64_t>(label_ms) - now;
    const std::int64_t known = offset_.load(std::memory_order_relaxed);
    if (seen - known > kClockTolerance || known - seen > kClockTolerance) {
        offset_.store(seen, std::memory_order_relaxed);
    }
}

}  // namespace sluice::stores
