#pragma once

#include "kube/object.hpp"
#include "kube/reflector.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace sluice::kube {

// What we believe the cluster holds of one kind, each object as much as matters of it. Values are
// immutable and shared, so that a snapshot is a copy of pointers.
template <class T>
class Cache final : public ReflectorSink {
 public:
    using Value = std::shared_ptr<const T>;
    using Decode = std::function<T(const Json&)>;
    // Called after the change; `before` and `after` may be null, not both.
    using OnChange =
        std::function<void(const std::string& key, const Value& before, const Value& after)>;

    Cache(Decode decode, OnChange on_change)
        : decode_{std::move(decode)}, on_change_{std::move(on_change)} {}

    const std::map<std::string, Value>& all() const { return values_; }
    Value find(const std::string& key) const {
        const auto place = values_.find(key);
        return place == values_.end() ? Value{} : place->second;
    }

    void begin_list() override { listing_.clear(); }
    void listed(const Json& object) override {
        listing_[metadata_of(object).key()] = std::make_shared<const T>(decode_(object));
    }
    // Everything at once; what is not in the list is gone.
    void end_list() override {
        std::map<std::string, Value> before = std::move(values_);
        values_ = std::exchange(listing_, {});
        for (const auto& [key, value] : before) {
            if (!values_.contains(key)) on_change_(key, value, Value{});
        }
        for (const auto& [key, value] : values_) {
            const auto old = before.find(key);
            on_change_(key, old == before.end() ? Value{} : old->second, value);
        }
    }
    void changed(const Json& object) override {
        const std::string key = metadata_of(object).key();
        Value value = std::make_shared<const T>(decode_(object));
        Value before = std::exchange(values_[key], value);
        on_change_(key, before, value);
    }
    void removed(const Json& object) override {
        const std::string key = metadata_of(object).key();
        const auto place = values_.find(key);
        if (place == values_.end()) return;
        const Value before = place->second;
        values_.erase(place);
        on_change_(key, before, Value{});
    }
    std::size_t size() const override { return values_.size(); }

 private:
    Decode decode_;
    OnChange on_change_;
    std::map<std::string, Value> values_;
    std::map<std::string, Value> listing_;
};

}  // namespace sluice::kube
