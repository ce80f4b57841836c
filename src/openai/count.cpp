#include "openai/count.hpp"

#include "openai/image.hpp"
#include "openai/json_impl.hpp"

#include <algorithm>
#include <cassert>

// OpenAI says how text becomes tokens, not how messages become text; the constants here are what
// people found by comparing with `usage` (OpenAI's cookbook, gpt-tokenizer). They are estimates,
// and the reported usage replaces them. What no rule knows is counted as the text it holds, so that
// nothing goes in for free.
namespace sluice::openai {
namespace {

constexpr std::uint64_t kReplyPrimer = 3;     // <|start|>assistant<|message|>
constexpr std::uint64_t kMessage = 3;         // around each message
constexpr std::uint64_t kName = 1;            // beside the text of a message's name
constexpr std::uint64_t kToolCall = 3;        // around the name and arguments of each call
constexpr std::uint64_t kCallId = 3;          // a reference to a call, however long its id
constexpr std::uint64_t kTools = 12;          // the namespace around all definitions
constexpr std::uint64_t kFunction = 7;        // type name = (_: {...}) => any;
constexpr std::uint64_t kProperty = 3;        // key?: type,
constexpr std::uint64_t kEnumItem = 2;        // "a" |
constexpr std::uint64_t kBuiltInTool = 50;    // web search and others: the prompt is not known
constexpr std::uint64_t kAudio = 300;         // some 30 seconds
constexpr std::uint64_t kFile = 1000;         // some pages
constexpr std::uint64_t kBytesPerHidden = 5;  // base64 of encrypted reasoning, bytes for a token

class Counter {
 public:
    Counter(std::string_view model, const tokenizer::Tokenizer& tokenizer, std::uint64_t bound)
        : model_{model}, tokenizer_{tokenizer}, bound_{bound} {}

    std::uint64_t total() const { return total_; }

    void chat(object body) {
        add(kReplyPrimer);
        messages(find_last(body, "messages"));
        tools(find_last(body, "tools"));
        tools(find_last(body, "functions"));
        schema_of(find_last(body, "response_format"));
    }

    void responses(object body) {
        add(kReplyPrimer);
        if (const std::string_view instructions = find_text(body, "instructions");
            !instructions.empty()) {
            add(kMessage);
            text(instructions);
        }
        input_items(find_last(body, "input"));
        tools(find_last(body, "tools"));
        schema_of(find_last(body, "text"));
        if (const std::optional<element> prompt = find_last(body, "prompt")) all_text(*prompt);
    }

    void completion(object body) {
        plain_input(find_last(body, "prompt"));
        text(find_text(body, "suffix"));
    }

    // vLLM takes messages here as well.
    void embedding(object body) {
        plain_input(find_last(body, "input"));
        messages(find_last(body, "messages"));
    }

    void moderation(object body) {
        const std::optional<element> input = find_last(body, "input");
        const std::optional<array> parts = input ? as_array(*input) : std::nullopt;
        if (!parts) return plain_input(input);
        for (const element part : *parts) {
            if (part.is_object()) {
                content_part(part);
            } else {
                plain_input(part);
            }
        }
    }

 private:
    bool is_over() const { return total_ > bound_; }
    void add(std::uint64_t tokens) { total_ += tokens; }

    void text(std::string_view text) {
        if (text.empty() || is_over()) return;
        total_ += tokenizer_.count(text, bound_ - total_);
    }

    // A string; an array of strings, of token ids, or of arrays of token ids. A token id is one
    // token, a list of prompts is their sum, nothing is added for the framing.
    void plain_input(std::optional<element> input) {
        if (!input || is_over()) return;
        if (const std::optional<std::string_view> value = as_text(*input)) return text(*value);
        if (input->is_number()) return add(1);
        if (const std::optional<array> list = as_array(*input)) {
            for (const element one : *list) plain_input(one);
        }
    }

    // Every string below `value`, its keys too.
    void all_text(element value) {
        if (is_over()) return;
        if (const std::optional<std::string_view> leaf = as_text(value)) {
            text(*leaf);
        } else if (const std::optional<array> list = as_array(value)) {
            for (const element one : *list) all_text(one);
        } else if (const std::optional<object> members = as_object(value)) {
            for (const auto [key, member] : *members) {
                text(key);
                all_text(member);
            }
        } else {
            add(1);
        }
    }

    // ---- Chat messages ----

    void messages(std::optional<element> value) {
        const std::optional<array> list = value ? as_array(*value) : std::nullopt;
        if (!list) return;
        for (const element one : *list) {
            if (is_over()) return;
            if (const std::optional<object> fields = as_object(one)) message(*fields);
        }
    }

    void message(object fields) {
        add(kMessage);
        for (const auto [key, value] : fields) {
            if (value.is_null()) continue;
            if (key == "content") {
                content(value);
            } else if (key == "name") {
                add(kName);
                all_text(value);
            } else if (key == "tool_calls") {
                tool_calls(value);
            } else if (key == "function_call") {
                tool_call(value);
            } else if (key == "tool_call_id") {
                add(kCallId);
            } else if (key == "audio") {
                add(kAudio);
            } else {
                all_text(value);  // role, refusal, reasoning_content, ...
            }
        }
    }

    // A string or a list of parts.
    void content(element value) {
        if (const std::optional<std::string_view> plain = as_text(value)) return text(*plain);
        const std::optional<array> parts = as_array(value);
        if (!parts) return all_text(value);
        for (const element part : *parts) content_part(part);
    }

    void content_part(element value) {
        const std::optional<object> part = as_object(value);
        if (!part) return all_text(value);
        const std::string_view type = find_text(*part, "type");
        if (type == "image_url" || type == "input_image" || type == "computer_screenshot") {
            image(*part);
        } else if (type == "input_audio") {
            add(kAudio);
        } else if (type == "file" || type == "input_file") {
            add(kFile);
        } else if (type == "text" || type == "input_text" || type == "output_text") {
            text(find_text(*part, "text"));
        } else {
            all_text(value);
        }
    }

    // {"image_url": {"url", "detail"}} in chat, {"image_url": "...", "detail"} in responses.
    void image(object part) {
        const std::optional<object> nested = find_object(part, "image_url");
        const std::string_view url =
            nested ? find_text(*nested, "url") : find_text(part, "image_url");
        const std::string_view detail = find_text(nested.value_or(part), "detail");
        add(image_tokens(model_, detail, image_size_of_url(url)));
    }

    void tool_calls(element value) {
        const std::optional<array> calls = as_array(value);
        if (!calls) return all_text(value);
        for (const element call : *calls) {
            const std::optional<object> fields = as_object(call);
            const std::optional<element> function =
                fields ? find_last(*fields, "function") : std::nullopt;
            tool_call(function.value_or(call));
        }
    }

    // Name and arguments.
    void tool_call(element function) {
        add(kToolCall);
        all_values(function);
    }

    void all_values(element value) {
        const std::optional<object> members = as_object(value);
        if (!members) return all_text(value);
        for (const auto member : *members) all_text(member.value);
    }

    // ---- Items of the responses API ----

    void input_items(std::optional<element> input) {
        if (!input) return;
        if (const std::optional<std::string_view> plain = as_text(*input)) {
            add(kMessage + 1);  // a message of the user
            return text(*plain);
        }
        const std::optional<array> items = as_array(*input);
        if (!items) return;
        for (const element item : *items) {
            if (is_over()) return;
            if (const std::optional<object> fields = as_object(item)) input_item(*fields);
        }
    }

    // Messages, calls, their outputs, reasoning and others, told apart by their fields.
    void input_item(object fields) {
        add(kMessage);
        for (const auto [key, value] : fields) {
            if (key == "type" || key == "id" || key == "status" || value.is_null()) continue;
            if (key == "content" || key == "output" || key == "summary") {
                content(value);
            } else if (key == "call_id") {
                add(kCallId);
            } else if (key == "encrypted_content") {
                add(as_text(value).value_or("").size() / kBytesPerHidden);
            } else {
                all_text(value);  // role, name, arguments, ...
            }
        }
    }

    // ---- Tools ----

    // Chat: {"type": "function", "function": {...}}; `functions` and responses: the same, flat.
    void tools(std::optional<element> value) {
        const std::optional<array> list = value ? as_array(*value) : std::nullopt;
        if (!list || list->size() == 0) return;
        add(kTools);
        for (const element one : *list) {
            if (is_over()) return;
            const std::optional<object> fields = as_object(one);
            if (!fields) continue;
            const object function = find_object(*fields, "function").value_or(*fields);
            if (find_last(function, "name")) {
                definition(function);
            } else {
                add(kBuiltInTool);
                all_values(one);
            }
        }
    }

    // Shown to the model as TypeScript: names, descriptions and types, without JSON's syntax.
    void definition(object function) {
        add(kFunction);
        text(find_text(function, "name"));
        text(find_text(function, "description"));
        if (const std::optional<element> schema = find_last(function, "parameters")) {
            json_schema(*schema);
        }
    }

    void json_schema(element value) {
        const std::optional<object> schema = as_object(value);
        if (!schema || is_over()) return;
        for (const auto [key, member] : *schema) {
            if (key == "properties" || key == "$defs" || key == "definitions") {
                properties(member);
            } else if (key == "enum") {
                if (const std::optional<array> items = as_array(member)) {
                    for (const element item : *items) {
                        add(kEnumItem);
                        all_text(item);
                    }
                }
            } else if (key == "description" || key == "title") {
                all_text(member);
            } else if (member.is_object()) {
                json_schema(member);  // items, additionalProperties, ...
            } else if (const std::optional<array> variants = as_array(member)) {
                for (const element variant : *variants) json_schema(variant);  // anyOf, ...
            }
        }
    }

    void properties(element value) {
        const std::optional<object> members = as_object(value);
        if (!members) return;
        for (const auto [key, member] : *members) {
            add(kProperty);
            text(key);
            json_schema(member);
        }
    }

    // response_format, or `text` with its `format`: a schema is given to the model as JSON.
    void schema_of(std::optional<element> value) {
        const std::optional<object> fields = value ? as_object(*value) : std::nullopt;
        if (!fields) return;
        const object format = find_object(*fields, "format").value_or(*fields);
        const object holder = find_object(format, "json_schema").value_or(format);
        if (const std::optional<element> schema = find_last(holder, "schema")) all_text(*schema);
    }

    std::string_view model_;
    const tokenizer::Tokenizer& tokenizer_;
    std::uint64_t bound_;
    std::uint64_t total_ = 0;
};

}  // namespace

std::uint64_t count_input(
    const ParsedRequest& request, const tokenizer::Tokenizer& tokenizer, std::uint64_t bound
) {
    assert(request.document != nullptr);
    const std::optional<object> body = as_object(request.document->impl().root);
    if (!body) return 0;
    Counter counter{request.model, tokenizer, bound};
    switch (request.kind) {
        case EndpointKind::chat_completions:
            counter.chat(*body);
            break;
        case EndpointKind::completions:
            counter.completion(*body);
            break;
        case EndpointKind::responses:
            counter.responses(*body);
            break;
        case EndpointKind::embeddings:
            counter.embedding(*body);
            break;
        case EndpointKind::moderations:
            counter.moderation(*body);
            break;
        case EndpointKind::other:
            break;
    }
    return counter.total();
}

}  // namespace sluice::openai
