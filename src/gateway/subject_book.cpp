#include "gateway/subject_book.hpp"

namespace sluice::gateway {

SubjectBook::SubjectBook(std::size_t cap) : cap_{cap} {}

SubjectStats& SubjectBook::of(std::string_view name) {
    const std::lock_guard lock{mutex_};
    const auto found = stats_.find(name);
    if (found != stats_.end()) return *found->second;
    if (stats_.size() >= cap_) return other_;
    return *stats_.emplace(std::string{name}, std::make_unique<SubjectStats>()).first->second;
}

void SubjectBook::each(const std::function<void(const std::string&, const SubjectStats&)>& visit
) const {
    const std::lock_guard lock{mutex_};
    for (const auto& [name, stats] : stats_) visit(name, *stats);
    static const std::string kOther = "other";
    visit(kOther, other_);
}

}  // namespace sluice::gateway
