#pragma once

#include "config/limits_table.hpp"
#include "gateway/subject_book.hpp"

#include <memory>
#include <vector>

namespace sluice::gateway {

// A limit table with the counters of its subjects beside them. Immutable; a request keeps the one
// it began with.
class Snapshot {
 public:
    // `book` outlives it.
    Snapshot(std::shared_ptr<const config::LimitsTable> table, SubjectBook& book)
        : table_{std::move(table)} {
        stats_.reserve(table_->subjects().size());
        for (const config::Subject& subject : table_->subjects()) {
            stats_.push_back(&book.of(subject.name));
        }
    }

    const config::LimitsTable& table() const { return *table_; }
    // `subject` is one of this table's.
    SubjectStats& stats_of(const config::Subject& subject) const {
        return *stats_[static_cast<std::size_t>(&subject - table_->subjects().data())];
    }

 private:
    std::shared_ptr<const config::LimitsTable> table_;
    std::vector<SubjectStats*> stats_;
};

}  // namespace sluice::gateway
