#include "telemetry/access_log.hpp"

#include <algorithm>
#include <limits>

namespace sluice::telemetry {
namespace {

constexpr std::size_t kMaxModel = 64;
constexpr std::size_t kMaxId = 128;
constexpr std::size_t kMaxPath = 256;
constexpr std::size_t kMaxWord = 512;

bool is_error(const AccessRecord& record) {
    return record.is_error || (record.status >= 400 && !record.is_denied) || record.status == 0;
}

// From 0 up to 1, evenly, the same for the same id.
double place_of(std::string_view id) {
    std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a, then mixed: ids differ in few bits
    for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
    hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDU;
    hash ^= hash >> 33;
    return static_cast<double>(hash >> 11) * 0x1p-53;
}

double to_ms(nanoseconds duration) {
    const auto micros = std::chrono::duration_cast<microseconds>(duration).count();
    return static_cast<double>(micros) / 1'000;
}

std::string_view without_query(std::string_view path) {
    return path.substr(0, std::min(path.find('?'), path.size()));
}

LogField ms_field(std::string_view name, std::optional<nanoseconds> duration) {
    // What did not happen has no duration: "null".
    return {name, duration ? to_ms(*duration) : std::numeric_limits<double>::quiet_NaN()};
}

}  // namespace

std::string cleaned(std::string_view text, std::size_t most) {
    std::string_view kept = text.substr(0, most);
    // Not through the middle of a character.
    while (kept.size() < text.size() && !kept.empty() &&
           (static_cast<unsigned char>(text[kept.size()]) & 0xC0U) == 0x80U) {
        kept.remove_suffix(1);
    }
    std::string out{kept};
    for (char& c : out) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    }
    if (kept.size() < text.size()) out += "\xE2\x80\xA6";
    return out;
}

bool AccessLog::is_wanted(const AccessRecord& record) const {
    if (options_.requests == RequestLog::off || !log_.is_on(LogLevel::info)) return false;
    if (is_error(record)) return true;
    if (options_.requests == RequestLog::errors && !record.is_denied) return false;
    return options_.sample >= 1 || place_of(record.request_id) < options_.sample;
}

void AccessLog::write(const AccessRecord& record) {
    if (!is_wanted(record)) return;
    log_.info(
        "request",
        {
            {"requestId", cleaned(record.request_id, kMaxId)},
            {"client", cleaned(record.client, kMaxId)},
            {"subject", cleaned(record.subject, kMaxWord)},
            {"method", cleaned(record.method, 32)},
            {"path", cleaned(without_query(record.path), kMaxPath)},
            {"endpoint", record.endpoint},
            {"model", cleaned(record.model, kMaxModel)},
            {"status", record.status},
            {"outcome", record.outcome},
            {"deniedBy", record.denied_by},
            {"streamed", record.is_streamed},
            {"inputTokensReserved", record.input_tokens_reserved},
            {"outputTokensReserved", record.output_tokens_reserved},
            {"inputTokens", record.input_tokens_used},
            {"outputTokens", record.output_tokens_used},
            {"estimated", record.is_estimated},
            {"upstreamStatus", record.upstream_status.value_or(0)},
            {"admittedMs", record.admitted_ms},
            {"bytesIn", record.bytes_in},
            {"bytesOut", record.bytes_out},
            {"totalMs", to_ms(record.total)},
            ms_field("decisionMs", record.decision),
            ms_field("firstByteMs", record.first_byte),
        }
    );
}

}  // namespace sluice::telemetry
