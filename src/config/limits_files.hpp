#pragma once

#include "base/sha256.hpp"
#include "config/limits_table.hpp"

#include <string>
#include <vector>

// Limit tables as files: which belong to a path, and whether they changed.
namespace sluice::config {

struct ReadFiles {
    std::vector<TableFile> files;
    Faults faults;
    // Of everything above; equal means that nothing changed.
    Digest digest() const;
};

// Reads `path`: one file, or all tables of one directory. Of a mounted ConfigMap or projected
// volume, all through one open `..data`, so that a swap in between is not seen.
ReadFiles read_limits_files(const std::string& path);

// The table that was read, or everything that is wrong with it.
LoadedTable parse_limits(const ReadFiles& read);

// What `stat` tells of the same files, cheap to look at often: differs when they were changed.
std::string fingerprint(const std::string& path);

}  // namespace sluice::config
