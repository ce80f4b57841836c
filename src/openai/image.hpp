#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::openai {

struct ImageSize {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

// Width and height as the header of a PNG, JPEG, GIF or WebP file says them.
std::optional<ImageSize> image_size(std::string_view file);

// The same of a "data:image/png;base64,..." URL; only its beginning is decoded. Nothing for other
// URLs.
std::optional<ImageSize> image_size_of_url(std::string_view url);

// Input tokens of one image, as OpenAI prices it for `model` at `detail` ("low", "high", "auto" or
// empty). An image of unknown size is taken for 765 on models that count tiles, as OpenAI does.
std::uint64_t image_tokens(
    std::string_view model, std::string_view detail, std::optional<ImageSize> size
);

}  // namespace sluice::openai
