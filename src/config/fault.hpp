#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sluice::config {

// One thing that is wrong with a file. Never holds a key: what a person typed where a key belongs
// is not repeated.
struct Fault {
    std::string file;
    int line = 0;      // from 1; 0: the file as a whole
    std::string path;  // "upstream.timeouts.connectMs", "subjects[3].keys[0]"; may be empty
    std::string what;

    // "file:line: path: what is wrong"
    std::string text() const;
    friend bool operator==(const Fault&, const Fault&) = default;
};

using Faults = std::vector<Fault>;

// By file, then line; equal ones once.
void sort_faults(Faults& faults);
// One a line, each with its newline; after `most` of them, how many more there are.
std::string to_text(const Faults& faults, std::size_t most = 100);

// A value as it may be shown in a message: quoted, printable, and cut when long.
std::string in_quotes(std::string_view value);
// ", did you mean \"limits\"?" when one of `known` is close to `name`, else nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace sluice::config
