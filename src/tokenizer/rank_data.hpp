#pragma once

#include <string_view>

namespace sluice::tokenizer {

// The rank data of one encoding as it stands in data/, part of the program.
struct RankData {
    std::string_view name;
    std::string_view digest;  // of `packed`, "sha256:..."
    std::string_view packed;
};

const RankData& cl100k_rank_data();
const RankData& o200k_rank_data();

}  // namespace sluice::tokenizer
