#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::openai {

// Reads JSON documents one after the other, in memory it keeps for the next. Made once a worker and
// lent to whoever parses there; what came out of one read is gone with the next.
//
// Reads what Python's and JavaScript's readers read, with these exceptions: nesting deeper than
// `kMaxDepth`, NaN and Infinity, and bytes that are not UTF-8 are refused. A lone surrogate
// (`"\ud83d"`) is read as U+FFFD; a leading byte order mark is skipped.
class JsonReader {
 public:
    static constexpr std::size_t kMaxDepth = 512;
    // Documents larger than this make the reader give its memory (about 15 times the document's
    // size) back afterwards.
    static constexpr std::size_t kKeptSize = 1 << 20;

    JsonReader();
    ~JsonReader();
    JsonReader(JsonReader&&) noexcept;
    JsonReader& operator=(JsonReader&&) noexcept;

    struct Impl;  // json_impl.hpp; keeps simdjson out of other rooms
    Impl& impl() { return *impl_; }
    const Impl& impl() const { return *impl_; }

 private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::openai
