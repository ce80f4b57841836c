#include "kube/lease.hpp"

#include <algorithm>

namespace sluice::kube {

LeaseRecord lease_record_of(const Json& lease) {
    return LeaseRecord{
        .holder = text_at(lease, {"spec", "holderIdentity"}),
        .seconds = integer_at(lease, {"spec", "leaseDurationSeconds"}).value_or(0),
        .acquired = text_at(lease, {"spec", "acquireTime"}),
        .renewed = text_at(lease, {"spec", "renewTime"}),
        .transitions = integer_at(lease, {"spec", "leaseTransitions"}).value_or(0),
    };
}

Json to_json(const LeaseRecord& record) {
    return Json{
        {"holderIdentity", record.holder},
        {"leaseDurationSeconds", record.seconds},
        {"acquireTime", record.acquired},
        {"renewTime", record.renewed},
        {"leaseTransitions", record.transitions},
    };
}

std::string LeaseTimes::fault() const {
    if (retry_period < seconds{1}) return "the retry period must be at least 1 s";
    if (duration <= renew_deadline) {
        return "the lease duration must be longer than the renew deadline";
    }
    if (renew_deadline * 10 <= retry_period * 12) {
        return "the renew deadline must be longer than 1.2 times the retry period";
    }
    return {};
}

Lease::Lease(std::string identity, LeaseTimes times)
    : identity_{std::move(identity)}, times_{times} {}

void Lease::observed(
    std::optional<LeaseRecord> record, std::string resource_version, SteadyTime now
) {
    version_ = std::move(resource_version);
    holder_ = record ? record->holder : std::string{};
    if (record != record_) {
        record_ = std::move(record);
        seen_ = now;
    }
    // Somebody else has it: whatever we believed is over.
    if (holder_ != identity_) leading_until_ = {};
}

std::optional<LeaseWrite> Lease::claim(SteadyTime now, WallTime wall) const {
    LeaseWrite write;
    write.record.holder = identity_;
    write.record.seconds = times_.duration.count();
    write.record.acquired = to_micro_time(wall);
    write.record.renewed = write.record.acquired;
    if (!record_) {
        write.kind = LeaseWrite::Kind::create;
        return write;
    }
    // The holder's own word on how long it counts, within reason.
    const seconds good_for{std::clamp<std::int64_t>(record_->seconds, 0, 3600)};
    const bool is_ours = record_->holder == identity_;
    if (!record_->holder.empty() && !is_ours && seen_ + good_for > now) return std::nullopt;
    write.resource_version = version_;
    write.record.transitions = record_->transitions;
    if (is_ours) {
        write.record.acquired = record_->acquired;
    } else {
        ++write.record.transitions;
    }
    return write;
}

std::optional<LeaseWrite> Lease::renewal(SteadyTime now, WallTime wall) const {
    if (!is_leading(now) || !record_ || record_->holder != identity_) return std::nullopt;
    return claim(now, wall);
}

void Lease::written(const LeaseRecord& record, std::string resource_version, SteadyTime sent) {
    record_ = record;
    version_ = std::move(resource_version);
    holder_ = record.holder;
    seen_ = sent;
    if (record.holder != identity_) {
        leading_until_ = {};
        return;
    }
    has_led_ = true;
    renewed_ = sent;
    leading_until_ = sent + times_.renew_deadline;
}

std::optional<LeaseWrite> Lease::release(WallTime wall) const {
    if (!record_ || record_->holder != identity_) return std::nullopt;
    LeaseWrite write;
    write.resource_version = version_;
    write.record = *record_;
    write.record.holder.clear();
    write.record.seconds = 1;
    write.record.acquired = to_micro_time(wall);
    write.record.renewed = write.record.acquired;
    return write;
}

}  // namespace sluice::kube
