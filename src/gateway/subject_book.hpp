#pragma once

#include "gateway/stats.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace sluice::gateway {

// The counters of each subject, by name. They live as long as the book, so that a subject that
// leaves and comes back goes on counting. At most `cap` subjects have counters of their own; the
// rest share one named "other". Thread-safe.
class SubjectBook {
 public:
    explicit SubjectBook(std::size_t cap = 1000);

    SubjectStats& of(std::string_view name);
    // The counters of callers without a valid key.
    SubjectStats& other() { return other_; }

    // Calls `visit` for each subject, in order of name; "other" last.
    void each(const std::function<void(const std::string&, const SubjectStats&)>& visit) const;

 private:
    const std::size_t cap_;
    mutable std::mutex mutex_;
    std::map<std::string, std::unique_ptr<SubjectStats>, std::less<>> stats_;  // guarded by mutex_
    SubjectStats other_;
};

}  // namespace sluice::gateway
