#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::redis {

enum class Mode : std::uint8_t { standalone, sentinel, cluster };

// store.redis of the gateway configuration.
struct Options {
    std::string url = "redis://127.0.0.1:6379/0";  // redis:// or rediss://; host, port, database
    Mode mode = Mode::standalone;
    std::vector<std::string>
        nodes;                  // "host:port" of Sentinels or cluster nodes; url alone if empty
    std::string master_name;    // sentinel
    std::string username_file;  // read again at each connection, so that they may rotate
    std::string password_file;
    std::string ca_file;       // rediss; empty: the system's roots
    milliseconds timeout{50};  // for one answer, and for connecting
};

}  // namespace sluice::redis
