#pragma once

#include <ostream>
#include <string>

namespace sluice::gateway {

struct InspectArguments {
    std::string config_file;
    std::string subject;  // empty: all of the table
};

// Prints what each limit holds now, as the store says. Gives the exit code: 0 good, 2 bad
// configuration, 1 when the store does not answer or keeps its counts in a gateway's memory.
int inspect(const InspectArguments& arguments, std::ostream& out, std::ostream& error);

}  // namespace sluice::gateway
