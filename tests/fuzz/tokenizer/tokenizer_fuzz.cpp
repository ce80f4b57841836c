#include "tokenizer/encoding.hpp"
#include "tokenizer/splitter.hpp"
#include "tokenizer/utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

// Whatever the bytes: pieces cover the text without a gap, counts stay within what is possible, are
// the same for the text with its replacements, and a bound cuts them short without changing them.
namespace {

using namespace sluice::tokenizer;

void require(bool holds) {
    if (!holds) std::abort();
}

template <class Splitter>
std::uint64_t pieces_of(const std::vector<char>& text) {
    const auto* at = reinterpret_cast<const split::Byte*>(text.data());
    const split::Byte* const end = at + text.size();
    std::uint64_t pieces = 0;
    for (; at != end; ++pieces) {
        const split::Byte* const next = Splitter::piece_end(at, end);
        require(next > at && next <= end);
        at = next;
    }
    return pieces;
}

void check(const Tokenizer& tokenizer, std::string_view text, std::uint64_t pieces) {
    const std::uint64_t tokens = tokenizer.count(text);
    require(tokens >= pieces && tokens >= text.size() / Vocabulary::kLongestToken);
    require(tokens <= 3 * text.size());
    require(tokenizer.count(text, tokens) == tokens);
    if (tokens > 0) require(tokenizer.count(text, tokens - 1) > tokens - 1);
    require(tokenizer.count(with_replacements(text)) == tokens);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Own blocks of memory of just the right size, so that a read beyond is seen.
    const std::vector<char> given(data, data + size);
    const std::string valid_text = with_replacements({given.data(), given.size()});
    const std::vector<char> valid(valid_text.begin(), valid_text.end());
    check(cl100k_base(), {given.data(), given.size()}, pieces_of<split::Cl100k>(valid));
    check(o200k_base(), {given.data(), given.size()}, pieces_of<split::O200k>(valid));
    return 0;
}
