// Any body is refused with a 400 or read; an edited body is what another reader sees as the
// original and the change, and reading it again finds the change made.
#include "openai/count.hpp"
#include "openai/request.hpp"
#include "tokenizer/estimate.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using nlohmann::json;
using namespace sluice::openai;

void require(bool holds) {
    if (!holds) std::abort();
}

json expected_view(json view, const ParsedRequest& request, const EditPlan& plan) {
    const bool is_responses = request.kind == EndpointKind::responses;
    if (plan.inject_usage && request.is_stream && !is_responses) {
        if (!view["stream_options"].is_object()) view["stream_options"] = json::object();
        view["stream_options"]["include_usage"] = true;
    }
    if (request.kind == EndpointKind::completions) {
        view["max_tokens"] = *plan.output_cap;
    } else if (is_responses) {
        view["max_output_tokens"] = *plan.output_cap;
    } else {
        view["max_completion_tokens"] = *plan.output_cap;
        if (view.contains("max_tokens") && !view["max_tokens"].is_null()) {
            view["max_tokens"] = *plan.output_cap;
        }
    }
    return view;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static JsonReader reader;
    static const sluice::tokenizer::EstimateTokenizer tokenizer;
    if (size == 0) return 0;
    const EndpointKind kind = static_cast<EndpointKind>(bytes[0] % 6);
    const std::string_view body{reinterpret_cast<const char*>(bytes) + 1, size - 1};

    const ParseResult request = parse_request(kind, body, reader);
    if (!request) {
        require(request.error().status == 400 && !to_json(request.error()).empty());
        return 0;
    }
    const std::uint64_t tokens = count_input(*request, tokenizer);
    require(count_input(*request, tokenizer, tokens) == tokens);
    if (tokens > 0) require(count_input(*request, tokenizer, tokens - 1) > tokens - 1);

    EditPlan plan;
    plan.inject_usage = true;
    plan.output_cap = 7;
    const std::string edited = edited_body(*request, body, plan);
    const ParseResult again = parse_request(kind, edited, reader);
    require(again.has_value());
    require(again->model == request->model && again->is_stream == request->is_stream);
    const bool has_output = kind == EndpointKind::chat_completions ||
                            kind == EndpointKind::completions || kind == EndpointKind::responses;
    if (!has_output) {
        require(edited == body);
        return 0;
    }
    require(again->max_output == 7);
    require(kind == EndpointKind::responses || !again->is_stream || again->asks_for_usage);

    const json before = json::parse(body, nullptr, false);  // refuses lone surrogates, we do not
    if (!before.is_discarded()) {
        require(json::parse(edited, nullptr, false) == expected_view(before, *request, plan));
    }
    return 0;
}
