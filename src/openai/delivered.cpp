#include "openai/delivered.hpp"

#include <algorithm>

namespace sluice::openai {

void DeliveredText::add(std::uint64_t source, std::string_view text) {
    constexpr std::size_t kEnough = 1024;
    if (text.empty()) return;
    if (source != source_) {
        count_all_but(0);
        source_ = source;
    }
    pending_.append(text);
    is_pending_counted_ = false;
    if (pending_.size() < kEnough) return;
    const std::size_t space = pending_.find_last_of(" \n");
    const bool is_cut_there = space != std::string::npos && space > 0;
    count_all_but(is_cut_there ? pending_.size() - space : 0);
}

std::int64_t DeliveredText::tokens() {
    if (!is_pending_counted_) {
        pending_tokens_ = static_cast<std::int64_t>(tokenizer_->count(pending_));
        is_pending_counted_ = true;
    }
    return counted_ + pending_tokens_;
}

void DeliveredText::count_all_but(std::size_t kept) {
    const std::size_t done = pending_.size() - kept;
    if (done == 0) return;
    counted_ +=
        static_cast<std::int64_t>(tokenizer_->count(std::string_view{pending_}.substr(0, done)));
    pending_.erase(0, done);
    pending_tokens_ = 0;
    is_pending_counted_ = pending_.empty();
}

}  // namespace sluice::openai
