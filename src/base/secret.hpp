#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace sluice {

// A text that must never be seen: prints as `***`, and is only had by asking for it by name.
class Secret {
 public:
    Secret() = default;
    explicit Secret(std::string value) : value_{std::move(value)} {}

    bool is_empty() const { return value_.empty(); }
    std::string_view reveal() const { return value_; }

    friend bool operator==(const Secret&, const Secret&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Secret&) { return out << "***"; }

 private:
    std::string value_;
};

}  // namespace sluice
