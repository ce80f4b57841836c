#include "openai/definitions.hpp"

#include "openai/json_impl.hpp"

#include <algorithm>
#include <set>

namespace sluice::openai {
namespace {

// Deeper levels are drawn no further to the right: the text stays in proportion to the request.
constexpr std::size_t kDeepestIndent = 64;
// Descriptions are shown of the properties of a function and not of what is inside of these.
constexpr std::size_t kUndescribedIndent = 2;

class Writer {
 public:
    std::string take() { return std::move(out_); }

    void function(object definition) {
        if (const std::string_view text = find_text(definition, "description"); !text.empty()) {
            out_.append("// ").append(text).append("\n");
        }
        out_.append("type ").append(find_text(definition, "name"));
        const std::optional<object> parameters = find_object(definition, "parameters");
        const std::optional<object> members =
            parameters ? find_object(*parameters, "properties") : std::nullopt;
        if (!members || members->size() == 0) {
            out_.append(" = () => any;\n\n");
            return;
        }
        out_.append(" = (_: {\n");
        properties(*parameters, 0);
        out_.append("\n}) => any;\n\n");
    }

    void raw(std::string_view text) { out_.append(text); }

 private:
    // The lines "key?: type," without a line end after the last.
    void properties(object schema, std::size_t indent) {
        const std::optional<object> members = find_object(schema, "properties");
        if (!members) return;
        const std::set<std::string_view> required = required_of(schema);
        bool is_first = true;
        for (const auto [key, value] : *members) {
            if (!is_first) out_.push_back('\n');
            is_first = false;
            const std::optional<object> fields = as_object(value);
            const std::string_view description =
                fields ? find_text(*fields, "description") : std::string_view{};
            if (!description.empty() && indent < kUndescribedIndent) {
                spaces(indent);
                out_.append("// ").append(description).append("\n");
            }
            spaces(indent);
            out_.append(key).append(required.contains(key) ? ": " : "?: ");
            type_of(fields, indent);
            out_.push_back(',');
        }
    }

    void type_of(std::optional<object> schema, std::size_t indent) {
        const std::string_view type = schema ? find_text(*schema, "type") : std::string_view{};
        if (type == "string") {
            choice_or(*schema, "string");
        } else if (type == "integer" || type == "number") {
            choice_or(*schema, "number");
        } else if (type == "boolean" || type == "null") {
            out_.append(type);
        } else if (type == "array") {
            const std::optional<element> items = find_last(*schema, "items");
            if (items) {
                type_of(as_object(*items), indent);
            } else {
                out_.append("any");
            }
            out_.append("[]");
        } else if (type == "object") {
            out_.append("{\n");
            properties(*schema, indent + 2);
            out_.push_back('\n');
            spaces(indent);
            out_.push_back('}');
        } else {
            out_.append("any");
            // anyOf, $ref and others: no rule is known, so they are counted as they stand.
            if (schema) rest_of(*schema);
        }
    }

    void choice_or(object schema, std::string_view type) {
        const std::optional<element> choice = find_last(schema, "enum");
        const std::optional<array> values = choice ? as_array(*choice) : std::nullopt;
        if (!values) {
            out_.append(type);
            return;
        }
        bool is_first = true;
        for (const element value : *values) {
            if (!is_first) out_.append(" | ");
            is_first = false;
            out_.append(simdjson::minify(value));
        }
    }

    void rest_of(object schema) {
        for (const auto [key, value] : schema) {
            if (key == "type" || key == "description" || key == "title") continue;
            out_.append(" ").append(key).append(simdjson::minify(value));
        }
    }

    static std::set<std::string_view> required_of(object schema) {
        std::set<std::string_view> names;
        const std::optional<element> list = find_last(schema, "required");
        const std::optional<array> items = list ? as_array(*list) : std::nullopt;
        if (!items) return names;
        for (const element item : *items) {
            if (const std::optional<std::string_view> name = as_text(item)) names.insert(*name);
        }
        return names;
    }

    void spaces(std::size_t indent) { out_.append(std::min(indent, kDeepestIndent), ' '); }

    std::string out_;
};

}  // namespace

std::string as_typescript(const std::vector<object>& functions) {
    Writer writer;
    writer.raw("namespace functions {\n\n");
    for (const object function : functions) writer.function(function);
    writer.raw("} // namespace functions");
    return writer.take();
}

}  // namespace sluice::openai
