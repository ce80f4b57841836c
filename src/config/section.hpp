#pragma once

#include "base/time.hpp"
#include "config/yaml.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice::config {

// Where faults go while one file is read.
struct Reading {
    std::string file;
    Faults faults;
    void fault(int line, std::string path, std::string what) {
        constexpr std::size_t kMost = 1'000;  // a hostile file is not told all of it
        if (faults.size() < kMost) {
            faults.push_back({file, line, std::move(path), std::move(what)});
        }
    }
};

// One map of a file, read name by name. Each read leaves its target alone when the name is absent
// or its value is empty, and tells of values that do not fit. `end` tells of the names nobody
// asked for.
class Section {
 public:
    // `node` may be null: then nothing is set. It must outlive the section.
    Section(const Node* node, std::string path, Reading& reading);

    Section section(std::string_view name);
    // The value; null when there is none.
    const Node* take(std::string_view name);
    // The entries of a list; empty when there is none.
    const std::vector<Node>& list(std::string_view name);

    void text(std::string_view name, std::string& into);
    void flag(std::string_view name, bool& into);
    void share(std::string_view name, double& into);  // from 0 to 1

    template <class Number>
    void number(std::string_view name, Number& into, std::int64_t least, std::int64_t most) {
        std::int64_t value = 0;
        if (whole_number(name, least, most, value)) into = static_cast<Number>(value);
    }
    template <class Rep, class Period>
    void duration(
        std::string_view name,
        std::chrono::duration<Rep, Period>& into,
        std::int64_t least,
        std::int64_t most
    ) {
        std::int64_t value = 0;
        if (whole_number(name, least, most, value))
            into = std::chrono::duration<Rep, Period>{value};
    }
    template <class Enum>
    void choice(
        std::string_view name,
        Enum& into,
        const std::vector<std::pair<std::string_view, Enum>>& choices
    ) {
        std::vector<std::string_view> names;
        for (const auto& [text, value] : choices) names.push_back(text);
        const std::size_t chosen = choose(name, names);
        if (chosen < choices.size()) into = choices[chosen].second;
    }

    void end();

    std::string path_of(std::string_view name) const;
    void fault(std::string_view name, std::string what);  // at the name's line
    // The same for one entry of a list.
    void fault_at(std::string_view name, std::size_t index, const Node& entry, std::string what);

 private:
    bool whole_number(
        std::string_view name, std::int64_t least, std::int64_t most, std::int64_t& value
    );
    std::size_t choose(std::string_view name, const std::vector<std::string_view>& names);
    int line_of(std::string_view name) const;

    const Node* node_;
    std::string path_;
    Reading& reading_;
    std::vector<std::string_view> known_;  // literals
};

// The whole of `text` as a whole number; false when it is none or out of range.
bool parse_whole_number(
    const Node& node, std::int64_t least, std::int64_t most, std::int64_t& value
);
// What `node` is, for messages: its text when it is short and printable, or "a list".
std::string shown(const Node& node);

}  // namespace sluice::config
