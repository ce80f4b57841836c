#include "gateway/demo.hpp"

namespace sluice::gateway {

std::shared_ptr<const config::LimitsTable> demo_table() {
    config::Subject subject;
    subject.name = "demo/hello";
    subject.keys.push_back(Digest::of(kDemoKey));
    subject.limits.requests = 20;
    subject.limits.input_tokens = 2'000;
    subject.limits.output_tokens = 1'000;
    std::vector<config::Subject> subjects;
    subjects.push_back(std::move(subject));
    return std::make_shared<const config::LimitsTable>("demo", std::move(subjects));
}

std::string demo_greeting(const config::Config& config) {
    const std::string base = "http://" + config.listen.text();
    std::string text;
    text += "Sluice serves its built-in example on " + base + " (admin on http://" +
            config.admin.text() + ").\n";
    text += "One key, \"" + std::string{kDemoKey} +
            "\": 20 requests, 2000 input tokens and 1000 output tokens per minute. Try it:\n\n";
    text += "curl -i " + base + "/v1/chat/completions -H \"Authorization: Bearer " +
            std::string{kDemoKey} + "\" -H \"Content-Type: application/json\" -d '" +
            R"({"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]})" + "'\n\n";
    text +=
        "Add \"stream\": true to see it stream. For your own API: sluice gateway --config FILE"
        " (see `sluice help gateway`).\n";
    return text;
}

}  // namespace sluice::gateway
