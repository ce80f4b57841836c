#pragma once

#include "operator/options.hpp"

#include <string>
#include <vector>

namespace sluice::operators {

// `sluice operator`: `arguments` are those after the subcommand. Answers the exit code: 0 after
// SIGTERM or SIGINT, 2 for bad arguments, 1 when the lease is lost or it cannot start.
int run_operator(const std::vector<std::string>& arguments);

// The same with options that were parsed before. Blocks; handles the signals of the process.
int run_operator(const Options& options, kube::AccessOptions access);

}  // namespace sluice::operators
