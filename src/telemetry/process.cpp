// What the operating system knows of this process, under the names every Prometheus client uses.

#include "base/time.hpp"
#include "telemetry/metrics.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>

namespace sluice::telemetry {
namespace {

double processor_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds_of = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

double resident_bytes() {
    std::ifstream file{"/proc/self/statm"};
    double size = 0;
    double resident = 0;
    file >> size >> resident;
    return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
    const std::unique_ptr<DIR, int (*)(DIR*)> listing{::opendir("/proc/self/fd"), ::closedir};
    if (!listing) return 0;
    double entries = 0;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): each DIR is used by one thread
    while (::readdir(listing.get()) != nullptr) ++entries;
    return entries - 3;  // ".", ".." and the listing itself
}

}  // namespace

void add_process_metrics(Metrics& metrics, std::string_view version) {
    const double start = std::chrono::duration<double>(wall_now().time_since_epoch()).count();
    metrics.add(
        "sluice_build_info",
        "The version that runs; always 1.",
        Kind::gauge,
        {{"version", std::string{version}}},
        [] { return 1.0; }
    );
    metrics.add(
        "process_start_time_seconds",
        "When the process started, in Unix time.",
        Kind::gauge,
        {},
        [start] { return start; }
    );
    metrics.add(
        "process_cpu_seconds_total",
        "Processor time used, user and system.",
        Kind::counter,
        {},
        processor_seconds
    );
    metrics.add("process_resident_memory_bytes", "Memory in use.", Kind::gauge, {}, resident_bytes);
    metrics.add("process_open_fds", "Open file descriptors.", Kind::gauge, {}, open_descriptors);
}

}  // namespace sluice::telemetry
