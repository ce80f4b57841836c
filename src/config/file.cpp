#include "config/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace sluice::config {
namespace {

Error system_error(int code) {
    return {code, boost::system::system_category()};
}

}  // namespace

Descriptor::~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = other.release();
    }
    return *this;
}

int Descriptor::release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
}

Result<std::string> read_file_at(int directory, const std::string& path, std::size_t most) {
    // Without O_NONBLOCK the open itself would wait for the other end of a pipe.
    const Descriptor file{::openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!file.is_open()) return system_error(errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return system_error(errno);
    if (S_ISDIR(status.st_mode)) return system_error(EISDIR);
    if (!S_ISREG(status.st_mode)) return system_error(EINVAL);

    std::string text;
    constexpr std::size_t kPiece = 64 * 1024;
    for (;;) {
        const std::size_t filled = text.size();
        text.resize(filled + kPiece);
        const ssize_t got = ::read(file.get(), text.data() + filled, kPiece);
        if (got < 0 && errno == EINTR) {
            text.resize(filled);
            continue;
        }
        if (got < 0) return system_error(errno);
        text.resize(filled + static_cast<std::size_t>(got));
        if (text.size() > most) return system_error(EFBIG);
        if (got == 0) return text;
    }
}

Result<std::string> read_file(const std::string& path, std::size_t most) {
    return read_file_at(AT_FDCWD, path, most);
}

}  // namespace sluice::config
