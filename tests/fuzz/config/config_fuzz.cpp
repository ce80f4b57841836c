// Any bytes as a gateway configuration: faults or a value, never more, and no fault without place.

#include "config/load.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto loaded = sluice::config::load_config_text(text, "f");
    for (const auto& fault : loaded.faults) {
        if (fault.line < 1 || fault.what.empty()) std::abort();
    }
    // What was accepted prints, and reads back as itself: JSON is YAML.
    if (loaded.faults.empty()) {
        const std::string json = sluice::config::to_json(loaded.config);
        const auto again = sluice::config::load_config_text(json, "f");
        if (!again.faults.empty() || sluice::config::to_json(again.config) != json) std::abort();
    }
    return 0;
}
