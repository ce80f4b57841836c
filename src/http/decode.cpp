#include "http/decode.hpp"

#include "http/head.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>
#include <vector>

namespace sluice::http {
namespace {

constexpr std::size_t kStep = 16 * 1024;
constexpr int kMaxZstdWindow = 23;  // 8 MiB, what RFC 8878 asks every decoder to take
constexpr std::size_t kMaxCodings = 3;

}  // namespace

std::optional<Coding> parse_coding(std::string_view name) {
    if (name.empty() || equals_ignoring_case(name, "identity")) return Coding::identity;
    if (equals_ignoring_case(name, "gzip") || equals_ignoring_case(name, "x-gzip")) {
        return Coding::gzip;
    }
    if (equals_ignoring_case(name, "deflate")) return Coding::deflate;
    if (equals_ignoring_case(name, "zstd")) return Coding::zstd;
    return std::nullopt;
}

struct Decoder::Impl {
    virtual ~Impl() = default;
    // Takes from `in`, gives at most `out`; the number of bytes given.
    virtual Error step(std::string_view& in, std::string& out, std::size_t room) = 0;

    Error feed(std::string_view in, std::string& out) {
        // One byte more than allowed shows that the bound is exceeded.
        for (;;) {
            const std::size_t before_in = in.size();
            const std::size_t before_out = out.size();
            const std::size_t room = std::min(kStep, left + 1);
            if (const Error error = step(in, out, room)) return error;
            const std::size_t given = out.size() - before_out;
            if (given > left) {
                out.resize(before_out + left);
                return Errc::body_too_large;
            }
            left -= given;
            if (given < room && in.empty()) return Error{};
            if (given == 0 && in.size() == before_in) return Errc::bad_coding;
        }
    }

    std::size_t left = 0;
    bool is_complete = false;  // the coded stream may end here
};

namespace {

template <class Base>
struct Identity final : Base {
    Identity() { this->is_complete = true; }
    Error step(std::string_view& in, std::string& out, std::size_t room) override {
        const std::string_view part = in.substr(0, room);
        out += part;
        in.remove_prefix(part.size());
        return Error{};
    }
};

template <class Base>
struct Inflate final : Base {
    explicit Inflate(Coding c) : coding{c} {}
    ~Inflate() override {
        if (is_open) inflateEnd(&stream);
    }

    // "deflate" means the zlib format, and some senders leave its header out.
    bool open(unsigned char first) {
        constexpr int kGzip = 15 + 16;
        const bool is_zlib = (first & 0x0F) == 8 && (first >> 4) <= 7;
        const int bits = coding == Coding::gzip ? kGzip : is_zlib ? 15 : -15;
        is_open = inflateInit2(&stream, bits) == Z_OK;
        return is_open;
    }

    Error step(std::string_view& in, std::string& out, std::size_t room) override {
        if (in.empty() && !is_open) return Error{};
        if (!is_open && !open(static_cast<unsigned char>(in.front()))) return Errc::bad_coding;
        if (this->is_complete) {
            if (in.empty()) return Error{};
            // Another member follows, as gzip allows.
            if (coding != Coding::gzip || inflateReset(&stream) != Z_OK) return Errc::bad_coding;
            this->is_complete = false;
        }
        const std::size_t before = out.size();
        out.resize(before + room);
        const auto size = static_cast<uInt>(std::min<std::size_t>(in.size(), 1U << 30));
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
        stream.avail_in = size;
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
        stream.avail_out = static_cast<uInt>(room);
        const int result = inflate(&stream, Z_NO_FLUSH);
        in.remove_prefix(size - stream.avail_in);
        out.resize(before + room - stream.avail_out);
        if (result == Z_STREAM_END) {
            this->is_complete = true;
            return Error{};
        }
        return result == Z_OK || result == Z_BUF_ERROR ? Error{} : Error{Errc::bad_coding};
    }

    const Coding coding;
    z_stream stream{};
    bool is_open = false;
};

template <class Base>
struct Zstd final : Base {
    Zstd() : stream{ZSTD_createDStream()} {
        ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, kMaxZstdWindow);
    }
    ~Zstd() override { ZSTD_freeDStream(stream); }

    Error step(std::string_view& in, std::string& out, std::size_t room) override {
        if (in.empty() && this->is_complete) return Error{};
        const std::size_t before = out.size();
        out.resize(before + room);
        ZSTD_inBuffer input{in.data(), in.size(), 0};
        ZSTD_outBuffer output{out.data() + before, room, 0};
        const std::size_t result = ZSTD_decompressStream(stream, &output, &input);
        in.remove_prefix(input.pos);
        out.resize(before + output.pos);
        if (ZSTD_isError(result) != 0) return Errc::bad_coding;
        this->is_complete = result == 0;
        return Error{};
    }

    ZSTD_DStream* stream;
};

}  // namespace

Decoder::Decoder(Coding coding, std::size_t max_decoded) {
    switch (coding) {
        case Coding::identity:
            impl_ = std::make_unique<Identity<Impl>>();
            break;
        case Coding::gzip:
        case Coding::deflate:
            impl_ = std::make_unique<Inflate<Impl>>(coding);
            break;
        case Coding::zstd:
            impl_ = std::make_unique<Zstd<Impl>>();
            break;
    }
    impl_->left = max_decoded;
}

Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

Error Decoder::feed(std::string_view piece, std::string& out) {
    return impl_->feed(piece, out);
}

Error Decoder::finish() const {
    return impl_->is_complete ? Error{} : Error{Errc::bad_coding};
}

Result<std::string> decode_body(
    std::string_view body, std::string_view content_encoding, std::size_t max_decoded
) {
    std::vector<Coding> codings;
    Error error;
    for_each_element(content_encoding, [&](std::string_view name) {
        const auto coding = parse_coding(name);
        if (!coding || codings.size() == kMaxCodings) {
            error = Errc::unsupported_coding;
        } else if (*coding != Coding::identity) {
            codings.push_back(*coding);
        }
    });
    if (error) return error;
    if (body.size() > max_decoded && codings.empty()) return Error{Errc::body_too_large};
    std::string coded{body};
    while (!codings.empty()) {
        Decoder decoder{codings.back(), max_decoded};
        codings.pop_back();
        std::string decoded;
        error = decoder.feed(coded, decoded);
        if (!error) error = decoder.finish();
        if (error) return error;
        coded = std::move(decoded);
    }
    return coded;
}

}  // namespace sluice::http
