#pragma once

#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "kube/stats.hpp"
#include "net/connect.hpp"

#include <memory>
#include <string>

typedef struct ssl_ctx_st SSL_CTX;

namespace sluice::kube {

// Where the API server is and how we prove who we are.
struct AccessOptions {
    net::Endpoint server;
    bool is_tls = true;
    std::string ca_file;             // read again when it changes
    std::string ca_pem;              // used when there is no file
    std::string token_file;          // read again as it rotates
    Secret token;                    // used when there is no file
    std::string client_certificate;  // PEM; for people outside of the cluster
    Secret client_key;               // PEM
};

// What a pod finds in its environment and under /var/run/secrets/kubernetes.io/serviceaccount.
Result<AccessOptions> in_cluster_access();
// The namespace of the pod we run in; empty outside of a cluster.
std::string in_cluster_namespace();

// Keeps the credentials fresh: a projected token lives about an hour, and a client that reads it
// once fails after that; the certificate authority may be replaced while we run. Belongs to one
// worker.
class Access {
 public:
    Access(AccessOptions options, ClientStats& stats);

    const AccessOptions& options() const { return options_; }
    // The token, no older than about a minute. The last good one while the file cannot be read.
    const Secret& token(SteadyTime now);
    // The server refused it: it is read again at its next use.
    void distrust_token() { token_read_ = {}; }

    // The context for new connections; null without TLS. `has_changed` is set when it is another
    // one than was answered before. An error only while there has never been a good one.
    Result<std::shared_ptr<SSL_CTX>> tls(bool& has_changed);

 private:
    AccessOptions options_;
    ClientStats& stats_;
    Secret token_;
    SteadyTime token_read_{};
    std::string ca_fingerprint_;
    std::shared_ptr<SSL_CTX> context_;
};

}  // namespace sluice::kube
