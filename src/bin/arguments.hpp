#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

// The subcommands that need nothing but a file or a text. Streams are given, so that tests can read
// along.
namespace sluice::bin {

inline constexpr int kGood = 0;
inline constexpr int kFailed = 1;
inline constexpr int kBadUsage = 2;  // or a configuration that is wrong

struct Streams {
    std::istream& in;
    std::ostream& out;
    std::ostream& err;
};

// What follows the name of the subcommand.
using Arguments = std::vector<std::string>;

int check(const Arguments& arguments, Streams streams);
int hash_key(const Arguments& arguments, Streams streams);
int version(const Arguments& arguments, Streams streams);

// One subcommand of the program.
struct Command {
    std::string_view name;
    std::string_view summary;  // one line
    std::string_view help;     // everything
    int (*run)(const Arguments& arguments, Streams streams);
};

// Finds the subcommand and runs it; answers help, and what is no subcommand.
int dispatch(
    const std::vector<Command>& commands, const std::vector<std::string>& arguments, Streams streams
);

}  // namespace sluice::bin
