#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace sluice::tokenizer {

using TokenId = std::uint32_t;

inline constexpr TokenId kNoToken = 0xFFFFFFFF;

// The tokens of one encoding, in the three forms that counting needs: is this piece a token, what
// is the longest token at the start of these bytes, and may these two tokens stand side by side.
//
// A token's id is its rank: of two possible merges, byte pair encoding takes the lower id.
// Thread-safe. Constant after construction, but for the memo of neighbours, which is exact.
class Vocabulary {
 public:
    static constexpr std::size_t kLongestToken = 128;

    // `merges`: the content of data/<encoding>.merges.zst, decompressed. The format is told in
    // data/make_ranks.py. Throws std::runtime_error if it is not that.
    explicit Vocabulary(std::string_view merges);

    std::size_t size() const { return lengths_.size(); }
    std::size_t length(TokenId token) const { return lengths_[token]; }
    std::string_view bytes(TokenId token) const {
        return {bytes_.data() + offsets_[token], lengths_[token]};
    }
    std::size_t memory_used() const;

    // Is the whole of `piece` one token? Not empty. `readable`: bytes that may be read from
    // `piece.data()` on, at least its size.
    bool is_token(std::string_view piece, std::size_t readable) const;

    // The longest token at the start of `text`, which is not empty: each single byte is a token.
    TokenId longest_at(std::string_view text) const;
    // The longest token that is a proper prefix of `token`; kNoToken for a single byte.
    TokenId shorter(TokenId token) const { return shorter_[token]; }

    // Does byte pair encoding of the bytes of `left` and `right` end with just these two?
    bool are_neighbours(TokenId left, TokenId right) const;

 private:
    struct Parts {
        TokenId left, right;
    };
    struct Node {
        std::uint32_t first_child;  // the next node's first_child ends the children
        TokenId token;              // kNoToken where no token ends
    };
    // An open table of pieces of 8 to 15 bytes: the bytes, the length in the topmost byte.
    struct MiddlePiece {
        std::uint64_t head, tail;
        friend bool operator==(const MiddlePiece&, const MiddlePiece&) = default;
    };

    void read_merges(std::string_view merges);
    void index_pieces();
    void index_merges();
    void grow_trie();
    TokenId merged(TokenId left, TokenId right) const;
    bool find_neighbours(TokenId left, TokenId right) const;
    std::uint32_t child(std::uint32_t node, std::uint8_t label) const;

    std::vector<char> bytes_;
    std::vector<std::uint32_t> offsets_;
    std::vector<std::uint8_t> lengths_;
    std::vector<Parts> parts_;  // a single byte consists of itself and itself
    std::vector<TokenId> shorter_;

    std::vector<std::uint64_t>
        short_pieces_;  // up to 7 bytes, the length in the topmost; 0 is free
    std::vector<MiddlePiece> middle_pieces_;
    std::vector<TokenId> long_pieces_;   // 16 bytes and more, by a hash of the bytes
    std::vector<std::uint64_t> merges_;  // left, right, merged: 18 bits each; 0 is free
    int short_shift_{}, middle_shift_{}, long_shift_{}, merge_shift_{};

    std::vector<std::uint32_t> roots_;  // node of each two-byte beginning, or none
    std::vector<TokenId> single_;       // token of each byte
    std::vector<Node> nodes_;
    std::vector<std::uint8_t> labels_;  // last byte of each node's path

    // Answers of find_neighbours: left, right, answer and "set" in one word, so that threads need
    // no lock: a word is either whole or another one's.
    static constexpr int kMemoBits = 15;
    std::unique_ptr<std::atomic<std::uint64_t>[]> memo_;
};

// ---- On the hot path, hence here ---------------------------------------------------------------

namespace detail {

inline std::uint64_t load64(const char* from) {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

inline std::uint64_t load_partly(const char* from, std::size_t size) {
    std::uint64_t word = 0;
    std::memcpy(&word, from, size);
    return word;
}

// The first `size` (0 to 8) bytes as a number, the rest zero.
inline std::uint64_t load_prefix(const char* from, std::size_t size, std::size_t readable) {
    if (size == 8) return load64(from);
    if (readable < 8) return load_partly(from, size);
    return load64(from) & ((std::uint64_t{1} << (8 * size)) - 1);
}

inline constexpr std::uint64_t kMix = 0x9E3779B97F4A7C15;
inline constexpr std::uint64_t kMix2 = 0xC2B2AE3D27D4EB4F;

inline std::size_t slot_of(std::uint64_t key, int shift) {
    key ^= key >> 32;
    return static_cast<std::size_t>((key * kMix) >> shift);
}

}  // namespace detail

}  // namespace sluice::tokenizer
