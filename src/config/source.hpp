#pragma once

#include "base/time.hpp"
#include "config/limits_table.hpp"

#include <functional>
#include <memory>
#include <string>

namespace sluice::config {

struct SourceOptions {
    milliseconds quiet{50};      // nothing changed for so long: read now
    milliseconds patience{500};  // read at the latest so long after the first change
    milliseconds poll{5'000};    // look without being told: inotify can be out of instances
};

// Watches a limits file or directory on a thread of its own, and tells of every change: of the new
// table, or of what is wrong with it. Each call is whole: one swap of `..data` is one call.
class LimitsSource {
 public:
    using OnChange = std::function<void(LoadedTable)>;

    // Starts watching, then reads for the first time (before it returns: see `first`). `on_change`
    // is called on the source's thread, never before the constructor has returned its first
    // reading, and not after the destructor has begun to return.
    LimitsSource(std::string path, OnChange on_change, SourceOptions options = SourceOptions());
    ~LimitsSource();  // stops and joins
    LimitsSource(const LimitsSource&) = delete;
    LimitsSource& operator=(const LimitsSource&) = delete;

    // What was read when it was made: good or faulty.
    const LoadedTable& first() const;

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::config
