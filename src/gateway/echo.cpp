#include "gateway/echo.hpp"

#include "openai/count.hpp"
#include "openai/endpoint.hpp"
#include "openai/error.hpp"
#include "openai/request.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>

namespace sluice::gateway {
namespace {

using nlohmann::json;
using openai::EndpointKind;

constexpr std::size_t kMostWords = 10'000;

std::string text_of(const json& content) {
    if (content.is_string()) return content.get<std::string>();
    std::string text;
    if (content.is_array()) {
        for (const json& part : content) {
            if (part.is_object() && part.value("text", json{}).is_string()) {
                text += part["text"].get<std::string>();
            }
        }
    }
    return text;
}

std::string last_text(const json& messages) {
    if (messages.is_string()) return messages.get<std::string>();
    if (!messages.is_array() || messages.empty()) return {};
    const json& last = messages.back();
    if (last.is_string()) return last.get<std::string>();
    return last.is_object() ? text_of(last.value("content", json{})) : std::string{};
}

// "one ", "two ", "three": what is put together again gives the text.
std::vector<std::string> words_of(const std::string& text, std::int64_t cap) {
    std::vector<std::string> words;
    const std::size_t most =
        std::min<std::size_t>(kMostWords, static_cast<std::size_t>(std::max<std::int64_t>(cap, 1)));
    std::size_t begin = 0;
    while (begin < text.size() && words.size() < most) {
        std::size_t end = text.find(' ', begin);
        end = end == std::string::npos ? text.size() : end + 1;
        words.push_back(text.substr(begin, end - begin));
        begin = end;
    }
    if (words.empty()) words.emplace_back("…");
    return words;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += word;
    return text;
}

std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}
std::string event(const json& value) {
    return "data: " + dump(value) + "\n\n";
}
std::string named_event(const json& value) {
    return "event: " + value["type"].get<std::string>() + "\n" + event(value);
}

// One request to one endpoint, ready to be answered.
struct Ask {
    EndpointKind kind;
    std::string model;
    bool streams;
    bool tells_usage;
    std::vector<std::string> words;
    std::int64_t input_tokens;
    std::int64_t choices;

    std::int64_t output_tokens() const { return static_cast<std::int64_t>(words.size()) * choices; }
    json usage(const char* in, const char* out) const {
        return {
            {in, input_tokens},
            {out, output_tokens()},
            {"total_tokens", input_tokens + output_tokens()}};
    }
};

json completion_object(const Ask& ask, const char* object) {
    return {
        {"id", "echo-1"},
        {"object", object},
        {"created", 1'767'225'600},
        {"model", ask.model},
        {"choices", json::array()}};
}

EchoAnswer answer_completions(const Ask& ask) {
    const bool is_chat = ask.kind == EndpointKind::chat_completions;
    EchoAnswer answer;
    answer.is_stream = ask.streams;
    if (!ask.streams) {
        json body = completion_object(ask, is_chat ? "chat.completion" : "text_completion");
        for (std::int64_t i = 0; i < ask.choices; ++i) {
            json choice{{"index", i}, {"finish_reason", "stop"}, {"logprobs", nullptr}};
            if (is_chat) {
                choice["message"] = {{"role", "assistant"}, {"content", joined(ask.words)}};
            } else {
                choice["text"] = joined(ask.words);
            }
            body["choices"].push_back(choice);
        }
        body["usage"] = ask.usage("prompt_tokens", "completion_tokens");
        answer.pieces.push_back(dump(body));
        return answer;
    }
    const json empty =
        completion_object(ask, is_chat ? "chat.completion.chunk" : "text_completion");
    const auto chunk = [&](std::int64_t index, const json& delta, const json& finish) {
        json body = empty;
        json choice{{"index", index}, {"finish_reason", finish}};
        choice[is_chat ? "delta" : "text"] = delta;
        body["choices"].push_back(choice);
        if (ask.tells_usage) body["usage"] = nullptr;
        answer.pieces.push_back(event(body));
    };
    for (std::int64_t i = 0; i < ask.choices; ++i) {
        if (is_chat) chunk(i, {{"role", "assistant"}, {"content", ""}}, nullptr);
        for (const std::string& word : ask.words) {
            chunk(i, is_chat ? json{{"content", word}} : json(word), nullptr);
        }
        chunk(i, is_chat ? json::object() : json(""), "stop");
    }
    if (ask.tells_usage) {
        json body = empty;
        body["usage"] = ask.usage("prompt_tokens", "completion_tokens");
        answer.pieces.push_back(event(body));
    }
    answer.pieces.emplace_back("data: [DONE]\n\n");
    return answer;
}

EchoAnswer answer_responses(const Ask& ask) {
    const std::string text = joined(ask.words);
    const json part{{"type", "output_text"}, {"text", text}, {"annotations", json::array()}};
    const json message{
        {"type", "message"},
        {"id", "msg_echo_1"},
        {"status", "completed"},
        {"role", "assistant"},
        {"content", json::array({part})}};
    json body{
        {"id", "resp_echo_1"},
        {"object", "response"},
        {"created_at", 1'767'225'600},
        {"status", "completed"},
        {"model", ask.model},
        {"output", json::array({message})},
        {"parallel_tool_calls", true},
        {"tool_choice", "auto"},
        {"tools", json::array()},
        {"error", nullptr},
        {"incomplete_details", nullptr},
        {"instructions", nullptr},
        {"metadata", json::object()},
        {"temperature", 1.0},
        {"top_p", 1.0}};
    body["usage"] = ask.usage("input_tokens", "output_tokens");
    body["usage"]["input_tokens_details"] = {{"cached_tokens", 0}};
    body["usage"]["output_tokens_details"] = {{"reasoning_tokens", 0}};

    EchoAnswer answer;
    answer.is_stream = ask.streams;
    if (!ask.streams) {
        answer.pieces.push_back(dump(body));
        return answer;
    }
    int sequence = 0;
    const auto say = [&](json fields) {
        fields["sequence_number"] = sequence++;
        answer.pieces.push_back(named_event(fields));
    };
    json begun = body;
    begun["status"] = "in_progress";
    begun["output"] = json::array();
    begun["usage"] = nullptr;
    json opened = message;
    opened["status"] = "in_progress";
    opened["content"] = json::array();
    const json place{{"item_id", "msg_echo_1"}, {"output_index", 0}, {"content_index", 0}};
    const auto at_place = [&](const char* type, json more) {
        more.update(place);
        more["type"] = type;
        say(more);
    };
    say({{"type", "response.created"}, {"response", begun}});
    say({{"type", "response.output_item.added"}, {"output_index", 0}, {"item", opened}});
    at_place(
        "response.content_part.added",
        {{"part", {{"type", "output_text"}, {"text", ""}, {"annotations", json::array()}}}}
    );
    for (const std::string& word : ask.words) {
        at_place("response.output_text.delta", {{"delta", word}, {"logprobs", json::array()}});
    }
    at_place("response.output_text.done", {{"text", text}, {"logprobs", json::array()}});
    at_place("response.content_part.done", {{"part", part}});
    say({{"type", "response.output_item.done"}, {"output_index", 0}, {"item", message}});
    say({{"type", "response.completed"}, {"response", body}});
    return answer;
}

EchoAnswer answer_embeddings(const Ask& ask, const json& input, const json& format) {
    // Who asks for base64 decodes what comes without a look: eight floats of 32 bits.
    const bool is_base64 = format.is_string() && format.get<std::string>() == "base64";
    const json numbers{0.5, -0.5, 0.25, -0.25, 0.125, -0.125, 0.0, 1.0};
    const json vector = is_base64 ? json("AAAAPwAAAL8AAIA+AACAvgAAAD4AAAC+AAAAAAAAgD8=") : numbers;
    const bool is_batch = input.is_array() && !input.empty() && !input.front().is_number();
    const std::size_t count = is_batch ? input.size() : 1;
    json data = json::array();
    for (std::size_t i = 0; i < count; ++i) {
        data.push_back({{"object", "embedding"}, {"index", i}, {"embedding", vector}});
    }
    const json usage{{"prompt_tokens", ask.input_tokens}, {"total_tokens", ask.input_tokens}};
    return {
        200,
        {dump({{"object", "list"}, {"model", ask.model}, {"data", data}, {"usage", usage}})},
        false};
}

EchoAnswer answer_moderations(const Ask& ask) {
    const json result{
        {"flagged", false},
        {"categories", json::object()},
        {"category_scores", json::object()},
        {"category_applied_input_types", json::object()}};
    return {
        200,
        {dump({{"id", "modr-echo-1"}, {"model", ask.model}, {"results", json::array({result})}})},
        false};
}

EchoAnswer answer_other(std::string_view method, std::string_view target, std::size_t bytes) {
    const std::string_view path = target.substr(0, target.find('?'));
    if (path.ends_with("/models")) {
        const json model{
            {"id", "echo"},
            {"object", "model"},
            {"created", 1'767'225'600},
            {"owned_by", "sluice"}};
        return {200, {dump({{"object", "list"}, {"data", json::array({model})}})}, false};
    }
    return {
        200,
        {dump({{"object", "echo"}, {"method", method}, {"target", target}, {"bytes", bytes}})},
        false};
}

}  // namespace

EchoAnswer echo(
    std::string_view method,
    std::string_view target,
    std::string_view body,
    openai::JsonReader& reader,
    const tokenizer::Tokenizer& tokenizer
) {
    const openai::Endpoint endpoint = openai::classify(method, target);
    if (!endpoint.is_token_limited()) return answer_other(method, target, body.size());

    const openai::ParseResult parsed = openai::parse_request(endpoint.kind, body, reader);
    if (!parsed) return {parsed.error().status, {openai::to_json(parsed.error())}, false};
    const auto input_tokens = static_cast<std::int64_t>(openai::count_input(*parsed, tokenizer));
    const json document = json::parse(body, nullptr, false);
    const json nothing;
    const auto member = [&](const char* name) -> const json& {
        return document.is_object() && document.contains(name) ? document[name] : nothing;
    };
    const char* const texts = endpoint.kind == EndpointKind::chat_completions ? "messages"
                              : endpoint.kind == EndpointKind::completions    ? "prompt"
                                                                              : "input";
    Ask ask{
        endpoint.kind,
        parsed->model,
        parsed->is_stream,
        parsed->asks_for_usage,
        words_of(last_text(member(texts)), parsed->max_output.value_or(kMostWords)),
        input_tokens,
        std::clamp<std::int64_t>(parsed->choices, 1, 16)};
    switch (endpoint.kind) {
        case EndpointKind::chat_completions:
        case EndpointKind::completions:
            return answer_completions(ask);
        case EndpointKind::responses:
            ask.choices = 1;
            return answer_responses(ask);
        case EndpointKind::embeddings:
            return answer_embeddings(ask, member("input"), member("encoding_format"));
        default:
            return answer_moderations(ask);
    }
}

}  // namespace sluice::gateway
