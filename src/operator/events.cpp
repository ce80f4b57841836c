#include "operator/events.hpp"

#include <algorithm>

namespace sluice::operators {
namespace {

constexpr seconds kSame{600};
constexpr double kBurst = 25;
constexpr double kPerSecond = 1.0 / 300;
constexpr std::size_t kRemembered = 4096;

std::string hex(std::uint64_t value) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out(16, '0');
    for (std::size_t i = 16; i-- > 0; value >>= 4) out[i] = kDigits[value & 15];
    return out;
}

}  // namespace

bool EventBook::may_tell(const std::string& uid, SteadyTime now) {
    const auto [place, is_new] = allowances_.try_emplace(uid);
    Allowance& allowance = place->second;
    if (!is_new) {
        const double elapsed = std::chrono::duration<double>(now - allowance.filled).count();
        allowance.left = std::min(kBurst, allowance.left + elapsed * kPerSecond);
    }
    allowance.filled = now;
    if (allowance.left < 1) return false;
    allowance.left -= 1;
    return true;
}

void EventBook::forget_old(SteadyTime now) {
    if (told_.size() < kRemembered) return;
    std::erase_if(told_, [&](const auto& told) { return now - told.second.last > kSame; });
    std::erase_if(allowances_, [&](const auto& a) {
        return now - a.second.filled > seconds{static_cast<std::int64_t>(kBurst / kPerSecond)};
    });
    if (told_.size() >= kRemembered) told_.clear();
    if (allowances_.size() >= 4 * kRemembered) allowances_.clear();
}

std::optional<EventCall> EventBook::tell(
    const Resource& resource,
    bool is_warning,
    const std::string& reason,
    const std::string& action,
    const std::string& note,
    SteadyTime now,
    WallTime wall
) {
    forget_old(now);
    if (!may_tell(resource.uid, now)) return std::nullopt;
    EventCall call;
    call.namespace_name = resource.namespace_name;
    const auto known = told_.find({resource.uid, reason});
    if (known != told_.end() && now - known->second.last <= kSame) {
        Told& told = known->second;
        ++told.count;
        told.last = now;
        call.is_new = false;
        call.name = told.name;
        kube::Json series{{"count", told.count}, {"lastObservedTime", kube::to_micro_time(wall)}};
        call.body = kube::to_text(kube::Json{{"series", std::move(series)}});
        return call;
    }
    const auto stamp = static_cast<std::uint64_t>(wall.time_since_epoch().count()) + next_++;
    call.name = resource.name.substr(0, 200) + "." + hex(stamp);
    told_[{resource.uid, reason}] = Told{call.name, 1, now};
    call.body = kube::to_text(kube::Json{
        {"apiVersion", "events.k8s.io/v1"},
        {"kind", "Event"},
        {"metadata", {{"name", call.name}, {"namespace", resource.namespace_name}}},
        {"eventTime", kube::to_micro_time(wall)},
        {"reportingController", "sluice.dev/operator"},
        {"reportingInstance", instance_.substr(0, 128)},
        {"action", action},
        {"reason", reason},
        {"type", is_warning ? "Warning" : "Normal"},
        {"note", note.substr(0, 1000)},
        {"regarding",
         {{"apiVersion", "sluice.dev/v1alpha1"},
          {"kind", "ApiKeyLimit"},
          {"name", resource.name},
          {"namespace", resource.namespace_name},
          {"uid", resource.uid}}},
    });
    return call;
}

}  // namespace sluice::operators
