#include "tokenizer/encoding.hpp"

#include "base/sha256.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/piece_cache.hpp"
#include "tokenizer/rank_data.hpp"
#include "tokenizer/splitter.hpp"
#include "tokenizer/utf8.hpp"
#include "tokenizer/vocabulary.hpp"

#include <zstd.h>

#include <future>
#include <stdexcept>
#include <string>

namespace sluice::tokenizer {
namespace {

std::string unpack(const RankData& data) {
    const std::string name{data.name};
    if (Digest::of(data.packed).text() != data.digest) {
        throw std::runtime_error{"tokenizer: the rank data of " + name + " is damaged"};
    }
    const unsigned long long size =
        ZSTD_getFrameContentSize(data.packed.data(), data.packed.size());
    if (size > (16U << 20)) throw std::runtime_error{"tokenizer: no frame of rank data: " + name};
    std::string merges(size, '\0');
    const std::size_t got =
        ZSTD_decompress(merges.data(), merges.size(), data.packed.data(), data.packed.size());
    if (ZSTD_isError(got) != 0 || got != size) {
        throw std::runtime_error{"tokenizer: cannot unpack the rank data of " + name};
    }
    return merges;
}

template <class Splitter>
class Encoding final : public Tokenizer {
 public:
    explicit Encoding(const RankData& data) : name_{data.name}, vocabulary_{unpack(data)} {}

    std::string_view name() const override { return name_; }
    const Vocabulary& vocabulary() const { return vocabulary_; }

    std::uint64_t count(std::string_view text, std::uint64_t bound) const override {
        // No token is longer than this, so a text that is far too long is known without a look.
        const std::uint64_t least = text.size() / Vocabulary::kLongestToken;
        if (least > bound) return least;
        if (valid_prefix(text) == text.size()) return count_valid(text, bound);
        return count_valid(with_replacements(text), bound);
    }

 private:
    std::uint64_t count_valid(std::string_view text, std::uint64_t bound) const {
        thread_local PieceCache cache;  // one for each encoding
        const auto* at = reinterpret_cast<const split::Byte*>(text.data());
        const split::Byte* const end = at + text.size();
        std::uint64_t tokens = 0;
        while (at < end && tokens <= bound) {
            const split::Byte* const next = Splitter::piece_end(at, end);
            const std::string_view piece{
                reinterpret_cast<const char*>(at), static_cast<std::size_t>(next - at)};
            tokens += count_one(piece, static_cast<std::size_t>(end - at), cache);
            at = next;
        }
        return tokens;
    }

    std::uint64_t count_one(std::string_view piece, std::size_t readable, PieceCache& cache) const {
        if (piece.size() > PieceKey::kLongest) {
            return vocabulary_.is_token(piece) ? 1 : count_piece(vocabulary_, piece);
        }
        const PieceKey key{piece, readable};
        if (vocabulary_.is_token(key)) return 1;
        return cache.count(key, [&] { return count_piece(vocabulary_, piece); });
    }

    std::string_view name_;
    Vocabulary vocabulary_;
};

const Encoding<split::Cl100k>& cl100k() {
    static const Encoding<split::Cl100k> encoding{cl100k_rank_data()};
    return encoding;
}

const Encoding<split::O200k>& o200k() {
    static const Encoding<split::O200k> encoding{o200k_rank_data()};
    return encoding;
}

}  // namespace

const Tokenizer& cl100k_base() {
    return cl100k();
}
const Tokenizer& o200k_base() {
    return o200k();
}

const Vocabulary& cl100k_vocabulary() {
    return cl100k().vocabulary();
}
const Vocabulary& o200k_vocabulary() {
    return o200k().vocabulary();
}

void load_encodings(bool with_cl100k, bool with_o200k) {
    std::future<void> other;
    if (with_cl100k && with_o200k) {
        other = std::async(std::launch::async, [] { cl100k(); });
    } else if (with_cl100k) {
        cl100k();
    }
    if (with_o200k) o200k();
    if (other.valid()) other.get();
}

std::uint64_t encodings_memory() {
    return cl100k().vocabulary().memory_used() + o200k().vocabulary().memory_used();
}

}  // namespace sluice::tokenizer
