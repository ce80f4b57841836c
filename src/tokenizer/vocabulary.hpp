#pragma once

#include "tokenizer/piece_key.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
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

    // Is the whole of the piece one token? The two are for pieces of up to PieceKey::kLongest
    // bytes and for longer ones.
    bool is_token(const PieceKey& piece) const;
    bool is_token(std::string_view long_piece) const;

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
    struct TrieEntry {
        std::uint64_t key;  // bytes 2 to 9 of the token, in big-endian order
        TokenId token;
        std::uint16_t beginning;  // bytes 0 and 1, likewise
        std::uint16_t length;
    };

    void read_merges(std::string_view merges);
    void index_pieces();
    void index_merges();
    void grow_trie();
    std::vector<TrieEntry> sorted_entries() const;
    TokenId merged(TokenId left, TokenId right) const;
    bool find_neighbours(TokenId left, TokenId right) const;
    std::uint32_t child(std::uint32_t node, std::uint8_t label) const;

    std::vector<char> bytes_;
    std::vector<std::uint32_t> offsets_;
    std::vector<std::uint8_t> lengths_;
    std::vector<Parts> parts_;  // a single byte consists of itself and itself
    std::vector<TokenId> shorter_;

    inline static const PieceKey kFree{0, 0};
    std::vector<std::uint64_t>
        short_pieces_;                     // up to 7 bytes, the length in the topmost; 0 is free
    std::vector<PieceKey> middle_pieces_;  // 8 to 15 bytes
    std::vector<TokenId> long_pieces_;     // 16 bytes and more, by a hash of the bytes
    std::vector<std::uint64_t> merges_;    // left, right, merged: 18 bits each; 0 is free
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

// On the hot path, hence here.
inline bool Vocabulary::is_token(const PieceKey& piece) const {
    if (piece.is_short()) {
        const std::uint64_t key = piece.as_short();
        std::size_t slot = slot_of(key, short_shift_);
        for (;; slot = (slot + 1) & (short_pieces_.size() - 1)) {
            if (short_pieces_[slot] == key) return true;
            if (short_pieces_[slot] == 0) return false;
        }
    }
    std::size_t slot = slot_of(piece.mixed(), middle_shift_);
    for (;; slot = (slot + 1) & (middle_pieces_.size() - 1)) {
        if (middle_pieces_[slot] == piece) return true;
        if (middle_pieces_[slot] == kFree) return false;
    }
}

}  // namespace sluice::tokenizer
