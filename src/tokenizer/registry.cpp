#include "tokenizer/registry.hpp"

#include "tokenizer/estimate.hpp"

#include <algorithm>
#include <array>

namespace sluice::tokenizer {
namespace {

struct ChoiceName {
    Choice choice;
    std::string_view text;
};
constexpr std::array<ChoiceName, 4> kChoices{{
    {Choice::automatic, "auto"},
    {Choice::cl100k_base, "cl100k_base"},
    {Choice::o200k_base, "o200k_base"},
    {Choice::estimate, "estimate"},
}};

// The models that OpenAI's tiktoken counts with cl100k_base, by the beginning of their names; the
// first that fits counts. All others, those of other makers too, are counted like the newer ones.
struct ModelFamily {
    std::string_view prefix;
    Family family;
};
constexpr std::array<ModelFamily, 11> kFamilies{{
    {"ft:gpt-4o", Family::o200k},
    {"ft:gpt-4.1", Family::o200k},
    {"gpt-4o", Family::o200k},
    {"gpt-4.", Family::o200k},
    {"gpt-4", Family::cl100k},
    {"gpt-3", Family::cl100k},
    {"ft:gpt-4", Family::cl100k},
    {"ft:gpt-3", Family::cl100k},
    {"text-embedding-", Family::cl100k},
    {"davinci-002", Family::cl100k},
    {"babbage-002", Family::cl100k},
}};

Family family_of(std::string_view model) {
    const auto* found =
        std::find_if(kFamilies.begin(), kFamilies.end(), [&](const ModelFamily& entry) {
            return model.substr(0, entry.prefix.size()) == entry.prefix;
        });
    return found == kFamilies.end() ? Family::o200k : found->family;
}

}  // namespace

std::optional<Choice> parse_choice(std::string_view text) {
    for (const ChoiceName& name : kChoices) {
        if (name.text == text) return name.choice;
    }
    return std::nullopt;
}

std::string_view to_text(Choice choice) {
    return kChoices[static_cast<std::size_t>(choice)].text;
}

struct Registry::Tokenizers {
    EstimateTokenizer cl100k{Family::cl100k};
    EstimateTokenizer o200k{Family::o200k};
};

Registry::Registry(Choice choice)
    : choice_{choice}, tokenizers_{std::make_unique<const Tokenizers>()} {}
Registry::~Registry() = default;
Registry::Registry(Registry&&) noexcept = default;
Registry& Registry::operator=(Registry&&) noexcept = default;

const Tokenizer& Registry::for_model(std::string_view model) const {
    if (choice_ == Choice::cl100k_base) return tokenizers_->cl100k;
    if (choice_ == Choice::o200k_base) return tokenizers_->o200k;
    return family_of(model) == Family::cl100k ? tokenizers_->cl100k : tokenizers_->o200k;
}

}  // namespace sluice::tokenizer
