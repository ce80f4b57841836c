#pragma once

#include "base/time.hpp"
#include "kube/object.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace sluice::kube {

// The spec of a coordination.k8s.io/v1 Lease.
struct LeaseRecord {
    std::string holder;        // empty: free
    std::int64_t seconds = 0;  // how long it is good after a renewal
    std::string acquired;      // MicroTime
    std::string renewed;       // MicroTime
    std::int64_t transitions = 0;

    friend bool operator==(const LeaseRecord&, const LeaseRecord&) = default;
};

LeaseRecord lease_record_of(const Json& lease);
Json to_json(const LeaseRecord& record);

struct LeaseTimes {
    seconds duration{15};        // others wait so long after the last change they saw
    seconds renew_deadline{10};  // who could not renew for so long stops leading
    seconds retry_period{2};

    // Empty, or what is wrong with them.
    std::string fault() const;
};

// What to write in this round.
struct LeaseWrite {
    enum class Kind : std::uint8_t { create, update } kind = Kind::update;
    LeaseRecord record;
    std::string resource_version;  // of the object to replace; empty when creating
};

// The election of one among several processes, by one Lease object. After client-go's
// tools/leaderelection. Times in the record are for people: another's clock is never compared with
// ours; only that a record changed, and when we saw it by our own steady clock, counts.
//
// Pure. A round is: `renewal` when leading, else (or when that fails) read the object, `observed`,
// `claim`, write, `written`.
class Lease {
 public:
    Lease(std::string identity, LeaseTimes times);

    // The object as read, or that there is none.
    void observed(std::optional<LeaseRecord> record, std::string resource_version, SteadyTime now);
    // What to write to become or stay the holder; nothing while another holds it.
    std::optional<LeaseWrite> claim(SteadyTime now, WallTime wall) const;
    // Like `claim`, from memory, while we are the leader: spares the read.
    std::optional<LeaseWrite> renewal(SteadyTime now, WallTime wall) const;
    // Our write succeeded; it had been sent at `sent`.
    void written(const LeaseRecord& record, std::string resource_version, SteadyTime sent);
    // What to write so that another may follow at once.
    std::optional<LeaseWrite> release(WallTime wall) const;

    // Whether we may act at `now`: no one else can hold the lease before `leading_until`.
    bool is_leading(SteadyTime now) const { return now < leading_until_; }
    SteadyTime leading_until() const { return leading_until_; }
    SteadyTime last_renewal() const { return renewed_; }
    bool has_led() const { return has_led_; }
    const std::string& holder() const { return holder_; }
    const std::string& identity() const { return identity_; }
    const LeaseTimes& times() const { return times_; }

 private:
    const std::string identity_;
    const LeaseTimes times_;
    std::optional<LeaseRecord> record_;
    std::string version_;
    std::string holder_;
    SteadyTime seen_{};           // when the record last changed, for us
    SteadyTime leading_until_{};  // zero: not leading
    SteadyTime renewed_{};
    bool has_led_ = false;
};

}  // namespace sluice::kube
