#pragma once

#include "base/result.hpp"
#include "base/time.hpp"
#include "net/task.hpp"

#include <functional>
#include <memory>
#include <string>

typedef struct ssl_ctx_st SSL_CTX;

namespace sluice::net {

// A server's certificate and key, read again when the files change. Looks at the files at most each
// half second, and only when somebody asks: no timer, no thread. Belongs to one worker.
class CertificateWatch {
 public:
    // Called when files that changed could not be used; the last good pair keeps serving.
    using OnFailure = std::function<void(const Error&)>;

    static Result<CertificateWatch> open(
        std::string certificate_file, std::string key_file, OnFailure on_failure = {}
    );

    // The context for a connection that begins at `now`.
    std::shared_ptr<SSL_CTX> current(SteadyTime now = steady_now());

 private:
    CertificateWatch(std::string certificate_file, std::string key_file, OnFailure on_failure);

    std::string stamp() const;

    std::string certificate_file_;
    std::string key_file_;
    OnFailure on_failure_;
    std::shared_ptr<SSL_CTX> context_;
    std::string stamp_;  // what the files looked like when they were read
    SteadyTime looked_at_{};
};

}  // namespace sluice::net
