#pragma once

#include "base/result.hpp"
#include "http/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

enum class Coding : std::uint8_t { identity, gzip, deflate, zstd };

// By its name in Content-Encoding, in any case ("x-gzip" too); nothing when unknown.
std::optional<Coding> parse_coding(std::string_view name);

// Undoes one coding, piece by piece. Never gives more than `max_decoded` bytes in all.
class Decoder {
 public:
    Decoder(Coding coding, std::size_t max_decoded);
    ~Decoder();
    Decoder(Decoder&&) noexcept;
    Decoder& operator=(Decoder&&) noexcept;

    // Appends to `out` what `piece` decodes to. Errc::bad_coding, or Errc::body_too_large before
    // the bound is exceeded.
    Error feed(std::string_view piece, std::string& out);
    // No more pieces. Errc::bad_coding when the coded stream is cut short.
    Error finish() const;

 private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// A whole body as Content-Encoding says (several codings are undone last first; at most three).
// Errc::unsupported_coding, Errc::bad_coding, or Errc::body_too_large.
Result<std::string> decode_body(
    std::string_view body, std::string_view content_encoding, std::size_t max_decoded
);

}  // namespace sluice::http
