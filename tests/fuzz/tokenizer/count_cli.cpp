#include "tokenizer/encoding.hpp"

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

// Counts what it is sent, for the comparison with another implementation (differential.py). On
// standard input: u32 number of texts, then for each u32 length and its bytes. On standard output:
// for each text u32 tokens of cl100k_base, u32 of o200k_base. Little endian, until the input ends.
namespace {

bool read_number(std::uint32_t& number) {
    return std::fread(&number, sizeof number, 1, stdin) == 1;
}

bool read_text(std::string& text) {
    std::uint32_t size = 0;
    if (!read_number(size) || size > (256U << 20)) return false;
    text.resize(size);
    return std::fread(text.data(), 1, size, stdin) == size;
}

}  // namespace

int main() {
    using namespace sluice::tokenizer;
    std::string text;
    std::vector<std::uint32_t> counts;
    for (std::uint32_t texts = 0; read_number(texts);) {
        counts.clear();
        for (std::uint32_t i = 0; i < texts; ++i) {
            if (!read_text(text)) return 1;
            // An own block of memory of just this size, so that a sanitizer sees a read beyond it.
            const std::vector<char> exact(text.begin(), text.end());
            const std::string_view view{exact.data(), exact.size()};
            counts.push_back(static_cast<std::uint32_t>(cl100k_base().count(view)));
            counts.push_back(static_cast<std::uint32_t>(o200k_base().count(view)));
        }
        if (std::fwrite(counts.data(), sizeof counts[0], counts.size(), stdout) != counts.size()) {
            return 1;
        }
        std::fflush(stdout);
    }
    return 0;
}
