#include "bin/arguments.hpp"
#include "bin/gateway_commands.hpp"
#include "operator/run.hpp"

#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr const char* kCheckHelp =
    "Usage: sluice check FILE|DIR...\n\n"
    "Checks gateway configurations, limit tables and ApiKeyLimit manifests; each file tells what "
    "it\n"
    "is by what it holds. A directory stands for the .yaml, .yml and .json files in it and below;\n"
    "the tables of one directory are one table. Prints every fault as\n\n"
    "    file:line: path: what is wrong\n\n"
    "and ends with 2, or prints what was found and ends with 0. Needs neither cluster nor "
    "network.\n\n"
    "    sluice check gateway.yaml\n"
    "    sluice check /etc/sluice/limits\n"
    "    sluice check deploy/\n";

constexpr const char* kHashKeyHelp =
    "Usage: sluice hash-key [-]\n\n"
    "Reads an API key from standard input and prints its digest, \"sha256:\" and 64 hex digits: "
    "the\n"
    "form in which limit tables and ApiKeyLimits name a key. A line end is not part of the key. "
    "Keys\n"
    "are not taken from the command line, where other users of the machine could read them.\n\n"
    "    printf %s \"$KEY\" | sluice hash-key\n"
    "    sluice hash-key < key.txt\n";

constexpr const char* kVersionHelp = "Usage: sluice version\n\nPrints the version.\n";

const std::string kOperatorHelp = sluice::operators::help_text();

int run_operator(const sluice::bin::Arguments& arguments, sluice::bin::Streams) {
    return sluice::operators::run_operator(arguments);
}

const std::vector<sluice::bin::Command> kCommands{
    {"gateway",
     "serves: holds keys to their limits in front of an upstream",
     sluice::bin::kGatewayHelp,
     sluice::bin::run_gateway},
    {"operator", "makes the ApiKeyLimits of a cluster hold", kOperatorHelp, run_operator},
    {"check", "checks configurations, limit tables and manifests", kCheckHelp, sluice::bin::check},
    {"hash-key", "prints the digest of an API key", kHashKeyHelp, sluice::bin::hash_key},
    {"inspect", "shows what each limit holds now", sluice::bin::kInspectHelp, sluice::bin::inspect},
    {"version", "prints the version", kVersionHelp, sluice::bin::version},
};

}  // namespace

int main(int count, char** values) {
    try {
        const std::vector<std::string> arguments{values + (count > 0 ? 1 : 0), values + count};
        return sluice::bin::dispatch(kCommands, arguments, {std::cin, std::cout, std::cerr});
    } catch (const std::exception& error) {
        std::cerr << "sluice: " << error.what() << "\n";
        return sluice::bin::kFailed;
    }
}
