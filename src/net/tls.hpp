#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>

typedef struct ssl_ctx_st SSL_CTX;

namespace sluice::net {

// TLS 1.2 and newer. `ca_file` empty: the system's roots. Verifies the peer, always.
Result<std::shared_ptr<SSL_CTX>> make_client_tls(const std::string& ca_file);

// Certificate chain and key in PEM.
Result<std::shared_ptr<SSL_CTX>> make_server_tls(
    const std::string& certificate_file, const std::string& key_file
);

}  // namespace sluice::net
