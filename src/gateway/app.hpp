#pragma once

#include <string>
#include <string_view>

namespace sluice::gateway {

struct GatewayArguments {
    std::string config_file;  // empty: the built-in example
    std::string_view version;
};

// The gateway's whole life: reads the configuration, serves until SIGTERM or SIGINT, drains, ends.
// Gives the exit code: 0 good, 2 bad configuration, 1 anything else. Says on standard error what is
// wrong. Call it on the main thread, before any other was started.
int run(const GatewayArguments& arguments);

}  // namespace sluice::gateway
