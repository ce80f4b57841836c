#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace sluice {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

using SteadyTime = std::chrono::steady_clock::time_point;  // for waiting and measuring
using WallTime = std::chrono::system_clock::time_point;    // for telling people

inline SteadyTime steady_now() {
    return std::chrono::steady_clock::now();
}
inline WallTime wall_now() {
    return std::chrono::system_clock::now();
}

// The instant until which something may wait. Made once per request and passed down.
class Deadline {
 public:
    static Deadline never() { return Deadline{SteadyTime::max()}; }
    static Deadline in(nanoseconds wait) {
        return Deadline{steady_now() + std::chrono::duration_cast<SteadyTime::duration>(wait)};
    }
    static Deadline at(SteadyTime when) { return Deadline{when}; }

    SteadyTime time() const { return time_; }
    bool is_never() const { return time_ == SteadyTime::max(); }
    bool has_passed(SteadyTime now = steady_now()) const { return now >= time_; }
    nanoseconds remaining(SteadyTime now = steady_now()) const {
        return has_passed(now) ? nanoseconds{0} : time_ - now;
    }
    // The earlier of the two.
    Deadline sooner(Deadline other) const { return time_ < other.time_ ? *this : other; }

 private:
    explicit Deadline(SteadyTime time) : time_{time} {}
    SteadyTime time_;
};

// "2026-01-31T12:34:56.789Z"
std::string to_rfc3339(WallTime time);

}  // namespace sluice
