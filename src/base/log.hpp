#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace sluice {

enum class LogLevel : std::uint8_t { debug, info, warn, error, off };

// Empty when `text` is none of debug, info, warn, error, off.
bool parse_log_level(std::string_view text, LogLevel& level);
std::string_view to_text(LogLevel level);

// One name and value of a log line; the value is already JSON.
class LogField {
 public:
    LogField(std::string_view name, std::string_view value);
    LogField(std::string_view name, const char* value) : LogField{name, std::string_view{value}} {}
    LogField(std::string_view name, const std::string& value)
        : LogField{name, std::string_view{value}} {}
    LogField(std::string_view name, const Secret& value);
    LogField(std::string_view name, const Error& value);
    LogField(std::string_view name, bool value);
    LogField(std::string_view name, double value);
    LogField(std::string_view name, std::int64_t value);
    LogField(std::string_view name, std::uint64_t value);
    LogField(std::string_view name, int value) : LogField{name, static_cast<std::int64_t>(value)} {}

    std::string_view name() const { return name_; }
    const std::string& json() const { return json_; }

 private:
    std::string_view name_;
    std::string json_;
};

// Appends `value` to `out` as a JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view value);

// One JSON object a line: {"time":…,"level":…,"message":…, fields…}. Thread-safe: a line is one
// write.
class Log {
 public:
    using Sink = std::function<void(std::string_view line)>;  // called with the newline, any thread

    // Writes to standard error.
    explicit Log(LogLevel level = LogLevel::info);
    Log(LogLevel level, Sink sink);

    bool is_on(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
    void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }

    void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields);
    void debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
        write(LogLevel::debug, message, fields);
    }
    void info(std::string_view message, std::initializer_list<LogField> fields = {}) {
        write(LogLevel::info, message, fields);
    }
    void warn(std::string_view message, std::initializer_list<LogField> fields = {}) {
        write(LogLevel::warn, message, fields);
    }
    void error(std::string_view message, std::initializer_list<LogField> fields = {}) {
        write(LogLevel::error, message, fields);
    }

 private:
    std::atomic<LogLevel> level_;
    Sink sink_;
};

}  // namespace sluice
