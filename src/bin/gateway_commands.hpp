#pragma once

#include "bin/arguments.hpp"

namespace sluice::bin {

extern const char* const kGatewayHelp;
extern const char* const kInspectHelp;

int run_gateway(const Arguments& arguments, Streams streams);
int inspect(const Arguments& arguments, Streams streams);

}  // namespace sluice::bin
