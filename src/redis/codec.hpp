#pragma once

#include "base/result.hpp"
#include "redis/reply.hpp"

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct redisReader;

namespace sluice::redis {

// Appends one command to `out`, byte for byte what redisFormatCommandArgv makes. Written out here
// because that one takes and frees memory for every command, and this runs once for each request.
void append_command(std::string& out, std::span<const std::string_view> words);
void append_command(std::string& out, std::initializer_list<std::string_view> words);

// Bytes in, replies out; takes any split of the input. hiredis reads, into our values.
class ReplyParser {
 public:
    struct Bounds {
        std::size_t bytes = std::size_t{4} << 20;  // of one unfinished reply
        std::size_t items = 65'536;                // of one reply, all levels together
    };

    ReplyParser() : ReplyParser{Bounds{}} {}
    explicit ReplyParser(Bounds bounds);
    ReplyParser(const ReplyParser&) = delete;  // the reader points back here
    ReplyParser& operator=(const ReplyParser&) = delete;
    ~ReplyParser();

    // Errc::bad_reply when more is unfinished than the bounds allow. After an error of either
    // function nothing more can be read.
    Error feed(std::string_view bytes);
    // The next whole reply, none when more bytes are needed, or Errc::bad_reply.
    Result<std::optional<Reply>> next();

 private:
    struct Building;  // what hiredis calls
    struct Free {
        void operator()(redisReader* reader) const;
    };

    Bounds bounds_;
    std::unique_ptr<redisReader, Free> reader_;
    Reply root_;
    std::size_t items_ = 0;
    bool is_failed_ = false;
};

}  // namespace sluice::redis
