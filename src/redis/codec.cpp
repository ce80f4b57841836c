#include "redis/codec.hpp"

#include "redis/error.hpp"

#include <hiredis/read.h>

#include <array>
#include <charconv>
#include <utility>

namespace sluice::redis {

namespace {

void append_count(std::string& out, char sign, std::size_t count) {
    std::array<char, 24> text{};
    text[0] = sign;
    char* end = std::to_chars(text.data() + 1, text.data() + text.size() - 2, count).ptr;
    *end++ = '\r';
    *end++ = '\n';
    out.append(text.data(), end);
}

}  // namespace

void append_command(std::string& out, std::span<const std::string_view> words) {
    append_count(out, '*', words.size());
    for (const std::string_view word : words) {
        append_count(out, '$', word.size());
        out.append(word);
        out.append("\r\n", 2);
    }
}

void append_command(std::string& out, std::initializer_list<std::string_view> words) {
    append_command(out, std::span{words.begin(), words.size()});
}

// The functions hiredis builds its values with: ours go straight into a Reply, and refuse (which
// hiredis takes for lack of memory) what goes beyond the bounds.
struct ReplyParser::Building {
    static Reply* place(const redisReadTask* task) {
        auto* parser = static_cast<ReplyParser*>(task->privdata);
        if (task->parent == nullptr) return &parser->root_;
        return &static_cast<Reply*>(task->parent->obj)->items_[static_cast<std::size_t>(task->idx)];
    }
    static void* string(const redisReadTask* task, char* bytes, std::size_t size) {
        Reply* reply = place(task);
        reply->kind_ = task->type == REDIS_REPLY_ERROR    ? Reply::Kind::error
                       : task->type == REDIS_REPLY_STATUS ? Reply::Kind::status
                                                          : Reply::Kind::text;
        reply->text_.assign(bytes, size);
        return reply;
    }
    static void* array(const redisReadTask* task, int size) {
        auto* parser = static_cast<ReplyParser*>(task->privdata);
        const auto count = static_cast<std::size_t>(size < 0 ? 0 : size);
        if (count > parser->bounds_.items - parser->items_) return nullptr;
        parser->items_ += count;
        Reply* reply = place(task);
        reply->kind_ = Reply::Kind::array;
        reply->items_.resize(count);
        return reply;
    }
    static void* integer(const redisReadTask* task, long long value) {
        Reply* reply = place(task);
        reply->kind_ = Reply::Kind::integer;
        reply->integer_ = value;
        return reply;
    }
    static void* nil(const redisReadTask* task) {
        Reply* reply = place(task);
        reply->kind_ = Reply::Kind::nil;
        return reply;
    }
    static void free(void*) {}  // the parser owns all there is

    static inline redisReplyObjectFunctions functions{&string, &array, &integer, &nil, &free};
};

void ReplyParser::Free::operator()(redisReader* reader) const {
    redisReaderFree(reader);
}

ReplyParser::ReplyParser(Bounds bounds)
    : bounds_{bounds}, reader_{redisReaderCreateWithFunctions(&Building::functions)} {
    if (reader_ == nullptr) throw std::bad_alloc{};
    reader_->privdata = this;
}

ReplyParser::~ReplyParser() = default;

Error ReplyParser::feed(std::string_view bytes) {
    const std::size_t unread = reader_->len - reader_->pos;
    if (is_failed_ || bytes.size() > bounds_.bytes || unread > bounds_.bytes - bytes.size() ||
        redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) {
        is_failed_ = true;
        return Errc::bad_reply;
    }
    return {};
}

Result<std::optional<Reply>> ReplyParser::next() {
    void* whole = nullptr;
    if (is_failed_ || redisReaderGetReply(reader_.get(), &whole) != REDIS_OK) {
        is_failed_ = true;
        return Error{Errc::bad_reply};
    }
    if (whole == nullptr) return std::optional<Reply>{};
    items_ = 0;
    std::optional<Reply> reply{std::exchange(root_, Reply{})};
    return reply;
}

}  // namespace sluice::redis
