#include "net/certificate_watch.hpp"

#include "net/tls.hpp"

#include <sys/stat.h>

#include <utility>

namespace sluice::net {
namespace {

constexpr milliseconds kLookEvery{500};

// Mounted secrets are swapped through links: the inode tells what the time may not.
void append_stamp(std::string& out, const std::string& file) {
    struct stat facts {};
    if (::stat(file.c_str(), &facts) != 0) facts = {};
    for (const auto number :
         {static_cast<long long>(facts.st_ino),
          static_cast<long long>(facts.st_size),
          static_cast<long long>(facts.st_mtim.tv_sec),
          static_cast<long long>(facts.st_mtim.tv_nsec)}) {
        out += std::to_string(number);
        out += ' ';
    }
}

}  // namespace

CertificateWatch::CertificateWatch(
    std::string certificate_file, std::string key_file, OnFailure on_failure
)
    : certificate_file_{std::move(certificate_file)},
      key_file_{std::move(key_file)},
      on_failure_{std::move(on_failure)} {}

Result<CertificateWatch> CertificateWatch::open(
    std::string certificate_file, std::string key_file, OnFailure on_failure
) {
    CertificateWatch watch{std::move(certificate_file), std::move(key_file), std::move(on_failure)};
    watch.stamp_ = watch.stamp();  // before reading: a change in between is seen as a change
    auto context = make_server_tls(watch.certificate_file_, watch.key_file_);
    if (!context) return context.error();
    watch.context_ = std::move(*context);
    watch.looked_at_ = steady_now();
    return watch;
}

std::string CertificateWatch::stamp() const {
    std::string stamp;
    append_stamp(stamp, certificate_file_);
    append_stamp(stamp, key_file_);
    return stamp;
}

std::shared_ptr<SSL_CTX> CertificateWatch::current(SteadyTime now) {
    if (now - looked_at_ < kLookEvery) return context_;
    looked_at_ = now;
    std::string seen = stamp();
    if (seen == stamp_) return context_;
    stamp_ = std::move(seen);
    auto context = make_server_tls(certificate_file_, key_file_);
    if (context) {
        context_ = std::move(*context);
    } else if (on_failure_) {
        on_failure_(context.error());
    }
    return context_;
}

}  // namespace sluice::net
