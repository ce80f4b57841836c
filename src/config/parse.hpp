#pragma once

#include "config/config.hpp"
#include "config/section.hpp"
#include "config/yaml.hpp"

#include <string>
#include <unordered_map>

namespace sluice::config {

// The line of every value of a file, by its path.
using Lines = std::unordered_map<std::string, int>;
Lines lines_of(const Node& root);
// The line of `path`, or of the nearest thing around it that is there; 1 when nothing is.
int line_of(const Lines& lines, std::string path);

// Fills a Config from the tree of a gateway configuration. What is absent keeps its default; what
// is unknown or does not fit is told to `reading`.
Config parse_config(const Node& root, Reading& reading);

}  // namespace sluice::config
