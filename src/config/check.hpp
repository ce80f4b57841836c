#pragma once

#include "config/fault.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace sluice::config {

// What was found, and everything that is wrong with it.
struct CheckReport {
    Faults faults;
    std::size_t configurations = 0;
    std::size_t tables = 0;     // files of limit tables
    std::size_t resources = 0;  // ApiKeyLimits

    // "ok: 1 gateway configuration, 2 limit tables, 5 ApiKeyLimits"
    std::string summary() const;
};

// Checks gateway configurations, limit tables and ApiKeyLimit manifests, whichever each file is.
// A directory stands for the .yaml, .yml and .json files in it and below; the tables of one
// directory are one table, as a gateway would read them.
CheckReport check_paths(const std::vector<std::string>& paths);

}  // namespace sluice::config
