// The operator alone, without the rest of the program: builds in a fraction of the time.
#include "operator/run.hpp"

#include <algorithm>
#include <string>
#include <vector>

int main(int count, char** values) {
    // As `sluice operator FLAG...`: the first argument names the subcommand.
    const std::vector<std::string> arguments{values + std::min(count, 2), values + count};
    return sluice::operators::run_operator(arguments);
}
