#pragma once

#include "base/stats.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::telemetry {

enum class Kind : std::uint8_t { counter, gauge };

// Names and values in one order: the same names in the same order within a family.
using Labels = std::vector<std::pair<std::string, std::string>>;

// What becomes of the values of a family that has more series than it may: they are added up, or
// the least of them stands for all.
enum class Fold : std::uint8_t { sum, least };

// Where a family that changes while running says what it has, once at each scrape.
class Series {
 public:
    virtual ~Series() = default;
    virtual void add(Labels labels, double value) = 0;
};

// Collects references to plain numbers (base/stats.hpp) and reads them when it is asked to.
//
// Thread-safe. Whatever is added, by reference or by function, must stay alive and callable as
// long as this is rendered. Series with equal names and labels are added up: each worker adds its
// own counters, and the scrape shows one.
class Metrics {
 public:
    Metrics();
    ~Metrics();
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;

    // `name` and `help` once told belong together; one name is of one kind. Counters end in
    // "_total", durations in "_seconds".
    void add(std::string name, std::string help, Labels labels, const Counter& counter);
    void add(std::string name, std::string help, Labels labels, const Gauge& gauge);
    void add(std::string name, std::string help, Labels labels, const Histogram& histogram);
    // A value that is worked out at the scrape.
    void add(
        std::string name, std::string help, Kind kind, Labels labels, std::function<double()> value
    );

    // A family whose series come and go. At most `most` values of its first label have series of
    // their own, those that came first; the others share one in which that label is "other".
    void add_family(
        std::string name,
        std::string help,
        Kind kind,
        std::size_t most,
        std::function<void(Series&)> read,
        Fold fold = Fold::sum
    );

    // Everything, in the text format of Prometheus 0.0.4.
    std::string render() const;
    static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
    struct Family;
    class Collector;

    Family& family(std::string name, std::string help, int type);

    mutable std::mutex mutex_;
    // guarded by mutex_
    std::map<std::string, std::unique_ptr<Family>, std::less<>> families_;
};

// sluice_build_info, and of the process: start time, processor time, memory, open descriptors.
void add_process_metrics(Metrics& metrics, std::string_view version);

}  // namespace sluice::telemetry
