#pragma once

#include "config/config.hpp"
#include "config/parse.hpp"

namespace sluice::config {

// What each value alone cannot tell: values that contradict or need each other. Pure: looks at no
// file and resolves no name.
void validate(const Config& config, const Lines& lines, Reading& reading);

}  // namespace sluice::config
