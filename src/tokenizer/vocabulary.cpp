#include "tokenizer/vocabulary.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <stdexcept>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

// Two ideas make counting linear and fast (both from the crate `bpe` of github/rust-gems, MIT):
//
// 1. Tokens t1 t2 ... tn are the encoding of their bytes if and only if each neighbouring pair is
//    the encoding of its own bytes. So an encoding can be found from left to right.
// 2. Whether a pair is stable is found without its bytes, by undoing the merges that made the two,
//    latest first, and asking at each step whether something would have merged across the border.

namespace sluice::tokenizer {
namespace {

constexpr std::string_view kMagic = "SLMERGE1";
constexpr std::size_t kHeader = 8 + 4 + 256;
constexpr std::uint32_t kNoNode = 0xFFFFFFFF;
constexpr std::size_t kLabelPadding = 16;
constexpr int kIdBits = 18;
constexpr std::uint64_t kMix = 0xC2B2AE3D27D4EB4F;

// Bits of the size of a table that is at most three fifths full.
int table_bits(std::size_t entries) {
    return static_cast<int>(std::bit_width(std::max<std::size_t>(entries * 5 / 3, 16)));
}

std::uint64_t load_partly(std::string_view bytes) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), std::min<std::size_t>(bytes.size(), 8));
    return word;
}

std::uint64_t long_hash(std::string_view piece) {
    std::uint64_t hash = piece.size();
    std::size_t at = 0;
    for (; at + 8 <= piece.size(); at += 8) {
        hash = (hash ^ load64(piece.data() + at)) * kMix;
        hash ^= hash >> 29;
    }
    return hash ^ load64(piece.data() + piece.size() - 8);
}

std::uint64_t pair_key(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(left) << kIdBits | right;
}

}  // namespace

Vocabulary::Vocabulary(std::string_view merges)
    : memo_{std::make_unique<std::atomic<std::uint64_t>[]>(std::size_t{1} << kMemoBits)} {
    read_merges(merges);
    index_pieces();
    index_merges();
    grow_trie();
}

void Vocabulary::read_merges(std::string_view merges) {
    std::uint32_t count = 0;
    if (merges.size() >= kHeader) std::memcpy(&count, merges.data() + kMagic.size(), sizeof count);
    if (!merges.starts_with(kMagic) || count < 256 || count >= (1U << kIdBits) ||
        merges.size() != kHeader + 6 * (std::size_t{count} - 256)) {
        throw std::runtime_error{"tokenizer: not a list of merges"};
    }
    const std::size_t merged_count = count - 256;
    const auto byte = [&](std::size_t at) {
        return static_cast<std::uint32_t>(static_cast<std::uint8_t>(merges[at]));
    };
    const auto id = [&](std::size_t side, std::size_t at) {
        const std::size_t low = kHeader + 3 * side * merged_count + at;
        return byte(low) | byte(low + merged_count) << 8 | byte(low + 2 * merged_count) << 16;
    };
    parts_.resize(count);
    lengths_.resize(count);
    offsets_.resize(count);
    single_.assign(256, kNoToken);
    for (TokenId token = 0; token < 256; ++token) {
        parts_[token] = {token, token};
        lengths_[token] = 1;
        offsets_[token] = token;
        single_[byte(kMagic.size() + 4 + token)] = token;
        bytes_.push_back(merges[kMagic.size() + 4 + token]);
    }
    if (std::count(single_.begin(), single_.end(), kNoToken) != 0) {
        throw std::runtime_error{"tokenizer: a byte without a token"};
    }
    std::size_t total = 256;
    for (TokenId token = 256; token < count; ++token) {
        const Parts parts{id(0, token - 256), id(1, token - 256)};
        if (parts.left >= token || parts.right >= token ||
            lengths_[parts.left] + lengths_[parts.right] > static_cast<int>(kLongestToken)) {
            throw std::runtime_error{"tokenizer: a merge out of order"};
        }
        parts_[token] = parts;
        lengths_[token] = static_cast<std::uint8_t>(lengths_[parts.left] + lengths_[parts.right]);
        offsets_[token] = static_cast<std::uint32_t>(total);
        total += lengths_[token];
    }
    bytes_.resize(total);
    for (TokenId token = 256; token < count; ++token) {
        char* to = bytes_.data() + offsets_[token];
        for (const TokenId part : {parts_[token].left, parts_[token].right}) {
            to = std::copy_n(bytes_.data() + offsets_[part], lengths_[part], to);
        }
    }
}

void Vocabulary::index_pieces() {
    const auto count_of = [&](auto&& is_in) {
        return static_cast<std::size_t>(std::count_if(lengths_.begin(), lengths_.end(), is_in));
    };
    const int short_bits = table_bits(count_of([](auto n) { return n < 8; }));
    const int middle_bits = table_bits(count_of([](auto n) { return n >= 8 && n < 16; }));
    const int long_bits = table_bits(count_of([](auto n) { return n >= 16; }));
    short_pieces_.assign(std::size_t{1} << short_bits, 0);
    middle_pieces_.assign(std::size_t{1} << middle_bits, kFree);
    long_pieces_.assign(std::size_t{1} << long_bits, kNoToken);
    short_shift_ = 64 - short_bits;
    middle_shift_ = 64 - middle_bits;
    long_shift_ = 64 - long_bits;
    const auto insert = [](auto& table, std::size_t slot, const auto& free, const auto& value) {
        while (table[slot] != free) slot = (slot + 1) & (table.size() - 1);
        table[slot] = value;
    };
    for (TokenId token = 0; token < size(); ++token) {
        const std::string_view piece = bytes(token);
        if (piece.size() > PieceKey::kLongest) {
            insert(long_pieces_, slot_of(long_hash(piece), long_shift_), kNoToken, token);
            continue;
        }
        const PieceKey key{piece, piece.size()};
        if (key.is_short()) {
            const std::uint64_t whole = key.as_short();
            insert(short_pieces_, slot_of(whole, short_shift_), std::uint64_t{0}, whole);
        } else {
            insert(middle_pieces_, slot_of(key.mixed(), middle_shift_), kFree, key);
        }
    }
}

void Vocabulary::index_merges() {
    const int bits = table_bits(size());
    merges_.assign(std::size_t{1} << bits, 0);
    merge_shift_ = 64 - bits;
    for (TokenId token = 256; token < size(); ++token) {
        const std::uint64_t key = pair_key(parts_[token].left, parts_[token].right);
        std::size_t slot = slot_of(key, merge_shift_);
        while (merges_[slot] != 0) slot = (slot + 1) & (merges_.size() - 1);
        merges_[slot] = key << kIdBits | token;
    }
}

bool Vocabulary::is_token(std::string_view long_piece) const {
    if (long_piece.size() > kLongestToken) return false;
    std::size_t slot = slot_of(long_hash(long_piece), long_shift_);
    for (;; slot = (slot + 1) & (long_pieces_.size() - 1)) {
        if (long_pieces_[slot] == kNoToken) return false;
        if (bytes(long_pieces_[slot]) == long_piece) return true;
    }
}

// ---- The trie ----------------------------------------------------------------------------------

// Nodes are numbered breadth first, so the children of a node are neighbours: each node needs only
// its first child. Beginnings of two bytes are looked up in a table instead.
void Vocabulary::grow_trie() {
    const std::vector<TrieEntry> entries = sorted_entries();
    // Of each node: the entries below it, still without the token that ends there, and its depth.
    struct Branch {
        std::uint32_t from, to;
        std::uint32_t depth;
        TokenId shorter;
    };
    std::vector<Branch> branches;
    // More than enough, given back below: memory that is not touched costs nothing.
    branches.reserve(bytes_.size());
    nodes_.reserve(bytes_.size());
    labels_.reserve(bytes_.size());
    shorter_.assign(size(), kNoToken);
    roots_.assign(65536, kNoNode);

    const auto add_node = [&](Branch branch, std::uint8_t label) {
        const TrieEntry& first = entries[branch.from];
        TokenId token = kNoToken;
        if (first.length == branch.depth) {
            token = first.token;
            shorter_[token] = branch.shorter;
            branch.shorter = token;
            ++branch.from;
        }
        nodes_.push_back({0, token});
        labels_.push_back(label);
        branches.push_back(branch);
    };
    const auto label_of = [&](const TrieEntry& entry, std::uint32_t depth) {
        const std::uint32_t at = depth - 2;
        if (at < 8) return static_cast<std::uint8_t>(entry.key >> (56 - 8 * at));
        return static_cast<std::uint8_t>(bytes_[offsets_[entry.token] + depth]);
    };
    for (std::uint32_t from = 0; from < entries.size();) {
        const std::uint32_t beginning = entries[from].beginning;
        std::uint32_t to = from + 1;
        while (to < entries.size() && entries[to].beginning == beginning) ++to;
        // The table is indexed by the bytes as they lie in memory, read as a little-endian number.
        roots_[(beginning & 0xFF) << 8 | beginning >> 8] =
            static_cast<std::uint32_t>(nodes_.size());
        add_node({from, to, 2, single_[beginning >> 8]}, static_cast<std::uint8_t>(beginning));
        from = to;
    }
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
        nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
        const Branch branch = branches[node];
        for (std::uint32_t from = branch.from; from < branch.to;) {
            const std::uint8_t label = label_of(entries[from], branch.depth);
            std::uint32_t to = from + 1;
            while (to < branch.to && label_of(entries[to], branch.depth) == label) ++to;
            add_node({from, to, branch.depth + 1, branch.shorter}, label);
            from = to;
        }
    }
    nodes_.push_back({static_cast<std::uint32_t>(nodes_.size()), kNoToken});
    nodes_.shrink_to_fit();
    labels_.resize(labels_.size() + kLabelPadding);
    labels_.shrink_to_fit();
}

// All tokens of two bytes and more in the order of their bytes.
std::vector<Vocabulary::TrieEntry> Vocabulary::sorted_entries() const {
    const auto beginning_of = [&](TokenId token) {
        const std::string_view path = bytes(token);
        return static_cast<std::uint16_t>(
            static_cast<std::uint8_t>(path[0]) << 8 | static_cast<std::uint8_t>(path[1])
        );
    };
    std::vector<std::uint32_t> next(65536 + 1, 0);
    for (TokenId token = 256; token < size(); ++token) ++next[beginning_of(token) + std::size_t{1}];
    std::partial_sum(next.begin(), next.end(), next.begin());
    std::vector<TrieEntry> entries(size() - 256);
    for (TokenId token = 256; token < size(); ++token) {
        const std::string_view rest = bytes(token).substr(2);
        const std::uint64_t key = load_partly(rest);
        const std::uint16_t beginning = beginning_of(token);
        entries[next[beginning]++] = {__builtin_bswap64(key), token, beginning, lengths_[token]};
    }
    const auto is_before = [&](const TrieEntry& a, const TrieEntry& b) {
        return a.key != b.key ? a.key < b.key : bytes(a.token) < bytes(b.token);
    };
    std::uint32_t from = 0;
    for (std::size_t beginning = 0; beginning < 65536; ++beginning) {
        std::sort(entries.begin() + from, entries.begin() + next[beginning], is_before);
        from = next[beginning];
    }
    return entries;
}

inline std::uint32_t Vocabulary::child(std::uint32_t node, std::uint8_t label) const {
    std::uint32_t at = nodes_[node].first_child;
    const std::uint32_t end = nodes_[node + 1].first_child;
#if defined(__SSE2__)
    const __m128i wanted = _mm_set1_epi8(static_cast<char>(label));
    for (; at < end; at += 16) {
        const __m128i labels = _mm_loadu_si128(reinterpret_cast<const __m128i*>(&labels_[at]));
        const auto hits =
            static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(labels, wanted)));
        if (hits != 0) {
            at += static_cast<std::uint32_t>(std::countr_zero(hits));
            return at < end ? at : kNoNode;
        }
    }
#else
    for (; at < end; ++at) {
        if (labels_[at] == label) return at;
    }
#endif
    return kNoNode;
}

TokenId Vocabulary::longest_at(std::string_view text) const {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
    TokenId best = single_[byte(0)];
    if (text.size() < 2) return best;
    std::uint32_t node = roots_[static_cast<std::size_t>(byte(0)) | std::size_t{byte(1)} << 8];
    for (std::size_t depth = 2; node != kNoNode; ++depth) {
        if (nodes_[node].token != kNoToken) best = nodes_[node].token;
        if (depth == text.size()) break;
        node = child(node, byte(depth));
    }
    return best;
}

// ---- Neighbours --------------------------------------------------------------------------------

TokenId Vocabulary::merged(TokenId left, TokenId right) const {
    const std::uint64_t key = pair_key(left, right);
    std::size_t slot = slot_of(key, merge_shift_);
    for (;; slot = (slot + 1) & (merges_.size() - 1)) {
        const std::uint64_t entry = merges_[slot];
        if (entry >> kIdBits == key) return static_cast<TokenId>(entry & ((1U << kIdBits) - 1));
        if (entry == 0) return kNoToken;
    }
}

bool Vocabulary::are_neighbours(TokenId left, TokenId right) const {
    const std::uint64_t key = pair_key(left, right);
    std::atomic<std::uint64_t>& memo = memo_[slot_of(key, 64 - kMemoBits)];
    const std::uint64_t known = memo.load(std::memory_order_relaxed);
    if (known >> 2 == key && known != 0) return (known & 2) != 0;
    const bool answer = find_neighbours(left, right);
    memo.store(key << 2 | (answer ? 2U : 0U) | 1U, std::memory_order_relaxed);
    return answer;
}

// `limit` is the id below which a merge across the border would have come first. The merge that
// made the left token loses to one across the border of the same id, as that one lies further
// right; for the right token it is the other way round: hence the + 1.
bool Vocabulary::find_neighbours(TokenId left, TokenId right) const {
    TokenId limit = kNoToken;
    for (;;) {
        if (merged(left, right) < limit) return false;
        const bool undo_left = left > right;
        for (const bool is_left : {undo_left, !undo_left}) {
            TokenId& side = is_left ? left : right;
            const TokenId part = is_left ? parts_[side].right : parts_[side].left;
            limit = is_left ? side : side + 1;
            if (part != side) {
                side = part;
                break;
            }
            if (is_left != undo_left) return true;  // both are single bytes
        }
    }
}

std::size_t Vocabulary::memory_used() const {
    const auto held = [](const auto& v) { return v.capacity() * sizeof v[0]; };
    return held(bytes_) + held(offsets_) + held(lengths_) + held(parts_) + held(shorter_) +
           held(short_pieces_) + held(middle_pieces_) + held(long_pieces_) + held(merges_) +
           held(roots_) + held(single_) + held(nodes_) + held(labels_) +
           (sizeof(std::uint64_t) << kMemoBits);
}

}  // namespace sluice::tokenizer
