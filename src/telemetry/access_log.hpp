#pragma once

#include "base/log.hpp"
#include "base/time.hpp"
#include "telemetry/options.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::telemetry {

// What is told of one request. There is no place for a key in it. The views are only read during
// `AccessLog::write`.
struct AccessRecord {
    std::string_view request_id;
    std::string_view subject;   // empty: the key is unknown
    std::string_view model;     // as the caller wrote it: bounded and cleaned here
    std::string_view endpoint;  // "chat_completions", …, "other"
    std::string_view method;
    std::string_view path;       // what follows a '?' is cut off here
    std::string_view client;     // address
    int status = 0;              // as sent to the caller; 0: nothing was
    std::string_view outcome;    // "ok", "denied_requests", "client_gone", …
    std::string_view denied_by;  // the dimension, when a limit denied
    bool is_denied = false;      // by a limit: an answer, not an error
    bool is_error = false;       // something went wrong although `status` does not tell
    bool is_streamed = false;
    bool is_estimated = false;  // the upstream told no usage: tokens were counted here
    std::int64_t input_tokens_reserved = 0;
    std::int64_t output_tokens_reserved = 0;
    std::int64_t input_tokens_used = 0;
    std::int64_t output_tokens_used = 0;
    std::uint64_t admitted_ms = 0;  // the store's instant of admission, Unix time; 0: none
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    nanoseconds total{0};
    std::optional<nanoseconds> decision;    // waiting for the store
    std::optional<nanoseconds> first_byte;  // from the request's to the answer's
    std::optional<int> upstream_status;
};

// One JSON line a request. Thread-safe.
//
// Errors (500 and above, 4xx but for what a limit denied, callers that left early) are written
// unless `requests` is off; `errors` adds the denials and leaves out what went well; `sample` is
// the share of the others that is written, chosen by request id, so that all lines of one request
// share one fate.
class AccessLog {
 public:
    AccessLog(Log& log, AccessLogOptions options) : log_{log}, options_{options} {}

    void write(const AccessRecord& record);
    bool is_wanted(const AccessRecord& record) const;

 private:
    Log& log_;
    const AccessLogOptions options_;
};

// At most `most` bytes of `text`, without control characters: what a caller wrote, made fit to be
// shown. Cut texts end in "…".
std::string cleaned(std::string_view text, std::size_t most);

}  // namespace sluice::telemetry
