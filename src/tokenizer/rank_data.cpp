#include "tokenizer/rank_data.hpp"

// The assembler takes the files in as they are; SLUICE_RANK_DATA is the path of their folder.
#define SLUICE_INCLUDE_BYTES(symbol, file)                                                        \
    asm(".pushsection .rodata\n.balign 16\n.global " #symbol "\n.hidden " #symbol "\n" #symbol    \
        ":\n.incbin \"" SLUICE_RANK_DATA "/" file "\"\n.global " #symbol "_end\n.hidden " #symbol \
        "_end\n" #symbol "_end:\n.byte 0\n.popsection\n")

SLUICE_INCLUDE_BYTES(sluice_cl100k_ranks, "cl100k_base.merges.zst");
SLUICE_INCLUDE_BYTES(sluice_o200k_ranks, "o200k_base.merges.zst");

extern "C" {
extern const char sluice_cl100k_ranks[];
extern const char sluice_cl100k_ranks_end[];
extern const char sluice_o200k_ranks[];
extern const char sluice_o200k_ranks_end[];
}

namespace sluice::tokenizer {

const RankData& cl100k_rank_data() {
    static const RankData data{
        "cl100k_base",
        "sha256:7b82d18486e18fd431cb925b93eef70f05830fbb38bfbede45e7eae2c4a3ea2d",
        {sluice_cl100k_ranks, sluice_cl100k_ranks_end}};
    return data;
}

const RankData& o200k_rank_data() {
    static const RankData data{
        "o200k_base",
        "sha256:5d1ae52d3a0217db82a5504ce98111d71a46fd32d48d554553cb26925bc2460f",
        {sluice_o200k_ranks, sluice_o200k_ranks_end}};
    return data;
}

}  // namespace sluice::tokenizer
