// Coded bodies: whatever comes, no more than the bound is given. The first byte chooses the coding,
// the second how the input is cut.
#include "http/decode.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace sluice::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kBound = 64 * 1024;
    if (size < 2) return 0;
    static constexpr Coding kCodings[] = {Coding::gzip, Coding::deflate, Coding::zstd};
    Decoder decoder{kCodings[data[0] % 3], kBound};
    const std::size_t cut = data[1] + 1U;
    std::string_view coded{reinterpret_cast<const char*>(data) + 2, size - 2};
    std::string decoded;
    while (!coded.empty()) {
        const std::string_view piece = coded.substr(0, cut);
        coded.remove_prefix(piece.size());
        if (decoder.feed(piece, decoded)) break;
    }
    if (decoded.size() > kBound) std::abort();
    return 0;
}
