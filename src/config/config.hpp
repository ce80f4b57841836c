#pragma once

#include "base/log.hpp"
#include "base/time.hpp"
#include "config/address.hpp"
#include "stores/options.hpp"
#include "telemetry/options.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

// The gateway configuration as one value. `tests/data/config/full.yaml` names every key and its
// default; a test holds the two together.
namespace sluice::config {

// Both or neither. Read again when they change.
struct TlsFiles {
    std::string cert_file;  // chain, PEM
    std::string key_file;   // PEM
    bool is_on() const { return !cert_file.empty(); }
};

struct UpstreamOptions {
    UpstreamUrl url{UpstreamUrl::Scheme::http, {"127.0.0.1", 8000}, ""};
    std::string api_key_file;  // replaces the caller's key; read again when it changes
    std::string ca_file;       // https; empty: the system's roots
    milliseconds connect_timeout{2'000};
    milliseconds first_byte_timeout{300'000};
    milliseconds idle_timeout{300'000};  // between two pieces of an answer
    // Ask streams for usage when the caller did not, and hide the extra chunk.
    bool inject_usage = true;
};

// How tokens are counted before the upstream has said how many there were.
enum class TokenizerChoice : std::uint8_t { automatic, cl100k_base, o200k_base, estimate };

// How much output is reserved before a request is let through.
enum class OutputReservation : std::uint8_t { estimate, max_tokens, none };

struct AccountingOptions {
    TokenizerChoice tokenizer = TokenizerChoice::automatic;  // "auto": by model name
    OutputReservation output_reservation = OutputReservation::estimate;
};

struct LogOptions {
    LogLevel level = LogLevel::info;
    telemetry::AccessLogOptions access;
};

// What one caller, or all together, may make us hold.
struct Bounds {
    std::size_t head_bytes = 65'536;      // request line and headers
    std::size_t body_bytes = 33'554'432;  // JSON bodies that are read before they are sent on
    std::size_t connections = 10'000;     // of callers, all workers together
};

struct Timeouts {
    milliseconds header{10'000};  // from the first byte of a request to the end of its headers
    milliseconds idle{75'000};    // a caller's connection between two requests
    milliseconds drain{30'000};   // from the signal to stop until what still runs is cut off
};

struct CorsOptions {
    std::string allow_origin = "*";  // empty: no CORS headers, preflights pass to the upstream
};

struct Config {
    Address listen{"0.0.0.0", 8080};
    Address admin{"0.0.0.0", 9090};
    int workers = 0;  // 0: one per core
    TlsFiles tls;
    std::string limits = "/etc/sluice/limits";  // a file or a directory of tables
    UpstreamOptions upstream;
    stores::Options store;
    AccountingOptions accounting;
    seconds window{60};  // length of "minute"
    LogOptions log;
    Bounds bounds;
    Timeouts timeouts;
    CorsOptions cors;
};

// What runs without --config: 127.0.0.1:8080, admin on 127.0.0.1:9090, counts in memory, the echo
// upstream. `limits` is empty: the caller makes a table with one demo key.
Config demo_config();

// Every value in force as one JSON object, with the names of the file. For /configz: the files
// that hold secrets are named, never read.
std::string to_json(const Config& config);

std::string_view to_text(TokenizerChoice choice);
std::string_view to_text(OutputReservation choice);

}  // namespace sluice::config
