#pragma once

#include "config/config.hpp"
#include "config/limits_table.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace sluice::gateway {

// The built-in example: one subject, one key, limits small enough to be felt.
inline constexpr std::string_view kDemoKey = "sk-sluice-demo";

std::shared_ptr<const config::LimitsTable> demo_table();

// What `sluice gateway` prints when it runs its example: where it listens and a line to try.
std::string demo_greeting(const config::Config& config);

}  // namespace sluice::gateway
