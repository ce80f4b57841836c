// After client-go's rest/config.go (in-cluster) and transport/token_source.go (re-reading).
#include "kube/access.hpp"

#include "kube/error.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

namespace sluice::kube {
namespace {

constexpr seconds kTokenAge{50};
constexpr std::size_t kMostBytes = 1 << 20;
const std::string kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount/";

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) return std::nullopt;
    std::string text(kMostBytes, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return std::nullopt;
    text.resize(static_cast<std::size_t>(file.gcount()));
    return text;
}

std::string trimmed(const std::string& text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// Changes when the file does; a projected one is a link to a link that is swapped.
std::string fingerprint_of(const std::string& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return {};
    return std::to_string(facts.st_ino) + "." + std::to_string(facts.st_size) + "." +
           std::to_string(facts.st_mtim.tv_sec) + "." + std::to_string(facts.st_mtim.tv_nsec);
}

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

Bio bio_of(std::string_view text) {
    return Bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free};
}

bool trust(SSL_CTX* context, const std::string& pem) {
    const Bio bio = bio_of(pem);
    int found = 0;
    while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
        found += X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate);
        X509_free(certificate);
    }
    ERR_clear_error();
    return found > 0;
}

bool identify(SSL_CTX* context, const std::string& certificate_pem, const Secret& key_pem) {
    const Bio certificate_bio = bio_of(certificate_pem);
    const Bio key_bio = bio_of(key_pem.reveal());
    const std::unique_ptr<X509, decltype(&X509_free)> certificate{
        PEM_read_bio_X509(certificate_bio.get(), nullptr, nullptr, nullptr), X509_free};
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{
        PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
    const bool is_good =
        certificate && key && SSL_CTX_use_certificate(context, certificate.get()) == 1 &&
        SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1;
    ERR_clear_error();
    return is_good;
}

// Null when `ca_pem` or the client's own certificate is none.
std::shared_ptr<SSL_CTX> make_context(const AccessOptions& options, const std::string& ca_pem) {
    std::shared_ptr<SSL_CTX> context{SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
    if (!context) return nullptr;
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (!trust(context.get(), ca_pem)) return nullptr;
    if (!options.client_certificate.empty() &&
        !identify(context.get(), options.client_certificate, options.client_key)) {
        return nullptr;
    }
    return context;
}

}  // namespace

Result<AccessOptions> in_cluster_access() {
    const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
    const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
    if (host == nullptr || port == nullptr || *host == '\0') return Error{Errc::no_credentials};
    AccessOptions options;
    options.server.host = host;
    const std::string_view digits{port};
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), options.server.port);
    if (error != std::errc{} || end != digits.data() + digits.size()) {
        return Error{Errc::no_credentials};
    }
    options.ca_file = kServiceAccount + "ca.crt";
    options.token_file = kServiceAccount + "token";
    return options;
}

std::string in_cluster_namespace() {
    return trimmed(read_file(kServiceAccount + "namespace").value_or(""));
}

Access::Access(AccessOptions options, ClientStats& stats)
    : options_{std::move(options)}, stats_{stats}, token_{options_.token} {}

const Secret& Access::token(SteadyTime now) {
    const bool is_old = token_read_ == SteadyTime{} || now - token_read_ >= kTokenAge;
    if (options_.token_file.empty() || !is_old) return token_;
    if (const auto text = read_file(options_.token_file)) {
        const std::string token = trimmed(*text);
        if (!token.empty()) {
            token_ = Secret{token};
            token_read_ = now;
            stats_.token_reads.add();
        }
    }
    return token_;
}

Result<std::shared_ptr<SSL_CTX>> Access::tls(bool& has_changed) {
    has_changed = false;
    if (!options_.is_tls) return std::shared_ptr<SSL_CTX>{};
    std::string fingerprint = "given";
    if (!options_.ca_file.empty()) fingerprint = fingerprint_of(options_.ca_file);
    if (context_ && (fingerprint.empty() || fingerprint == ca_fingerprint_)) return context_;

    const std::optional<std::string> pem =
        options_.ca_file.empty() ? options_.ca_pem : read_file(options_.ca_file);
    std::shared_ptr<SSL_CTX> context = pem ? make_context(options_, *pem) : nullptr;
    if (context) {
        context_ = std::move(context);
        ca_fingerprint_ = fingerprint;
        has_changed = true;
        stats_.authority_reads.add();
    }
    if (!context_) return Error{Errc::no_credentials};
    return context_;
}

}  // namespace sluice::kube
