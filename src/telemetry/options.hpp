#pragma once

#include <cstdint>

namespace sluice::telemetry {

// Which requests leave a line in the log.
enum class RequestLog : std::uint8_t { all, errors, off };

// log.requests and log.sample of the gateway configuration.
struct AccessLogOptions {
    RequestLog requests = RequestLog::all;
    double sample = 1.0;  // share of the good and rate-limited ones that is written; errors always
    friend bool operator==(const AccessLogOptions&, const AccessLogOptions&) = default;
};

}  // namespace sluice::telemetry
