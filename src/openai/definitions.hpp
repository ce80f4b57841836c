#pragma once

#include <simdjson.h>

#include <string>
#include <vector>

namespace sluice::openai {

// Definitions of functions as the model is shown them: TypeScript, by the rules that gpt-tokenizer
// (functionCalling.ts, MIT) found by comparing with `usage`. `functions`: objects with "name",
// "description" and "parameters", a JSON schema.
std::string as_typescript(const std::vector<simdjson::dom::object>& functions);

}  // namespace sluice::openai
