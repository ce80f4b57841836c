#pragma once

#include "base/time.hpp"
#include "operator/resource.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace sluice::operators {

// A call that tells people about a resource.
struct EventCall {
    bool is_new = true;  // POST; else PATCH of the one that exists
    std::string namespace_name;
    std::string name;
    std::string body;
};

// Events of events.k8s.io/v1, aggregated: the same thing said of the same object within ten
// minutes is one event with a count; one object has a burst of 25 and then one in five minutes.
// After client-go's tools/record. Never holds a key. Pure.
class EventBook {
 public:
    explicit EventBook(std::string instance) : instance_{std::move(instance)} {}

    // Nothing when the object has said too much already.
    std::optional<EventCall> tell(
        const Resource& resource,
        bool is_warning,
        const std::string& reason,
        const std::string& action,
        const std::string& note,
        SteadyTime now,
        WallTime wall
    );
    std::size_t size() const { return told_.size(); }

 private:
    struct Told {
        std::string name;
        std::int64_t count = 1;
        SteadyTime last{};
    };
    struct Allowance {
        double left = 25;
        SteadyTime filled{};
    };
    bool may_tell(const std::string& uid, SteadyTime now);
    void forget_old(SteadyTime now);

    std::string instance_;
    std::map<std::pair<std::string, std::string>, Told> told_;  // by uid and reason
    std::map<std::string, Allowance> allowances_;               // by uid
    std::uint64_t next_ = 0;
};

}  // namespace sluice::operators
