#include "net/tls.hpp"

#include <boost/asio/ssl/error.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <cerrno>

namespace sluice::net {
namespace {

// OpenSSL tells little of a missing file; the system tells more.
Error read_error(const std::string& file) {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    struct stat facts {};
    if (::stat(file.c_str(), &facts) != 0) return Error{errno, boost::system::system_category()};
    return Error{static_cast<int>(code), boost::asio::error::get_ssl_category()};
}

std::shared_ptr<SSL_CTX> make_context(const SSL_METHOD* method) {
    ERR_clear_error();
    std::shared_ptr<SSL_CTX> context{SSL_CTX_new(method), SSL_CTX_free};
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    return context;
}

}  // namespace

Result<std::shared_ptr<SSL_CTX>> make_client_tls(const std::string& ca_file) {
    auto context = make_context(TLS_client_method());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context.get())
                                       : SSL_CTX_load_verify_file(context.get(), ca_file.c_str());
    if (loaded != 1) return read_error(ca_file);
    return context;
}

Result<std::shared_ptr<SSL_CTX>> make_server_tls(
    const std::string& certificate_file, const std::string& key_file
) {
    auto context = make_context(TLS_server_method());
    SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1) {
        return read_error(certificate_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context.get()) != 1) {
        return read_error(key_file);
    }
    return context;
}

}  // namespace sluice::net
