#pragma once

#include "base/secret.hpp"
#include "base/time.hpp"

#include <string>

namespace sluice::gateway {

// A file that holds one key, read again when it changes: looked at by whoever asks, at most each
// half second. A file that cannot be read leaves the last good key in use. One worker only.
class KeyFile {
 public:
    // An empty path: there is no key.
    explicit KeyFile(std::string path);

    bool is_set() const { return !path_.empty(); }
    const Secret& current(SteadyTime now);

 private:
    void read();

    std::string path_;
    Secret key_;
    SteadyTime looked_at_{};
    std::string stamp_;  // what the file looked like when it was read
};

}  // namespace sluice::gateway
