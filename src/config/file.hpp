#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <string>

namespace sluice::config {

// All of a file, at most `most` bytes: `file_too_large` of the system when there are more. A path
// that names no regular file is refused, so that no pipe or device holds us up.
// `directory` as of openat(2); AT_FDCWD for the current one.
Result<std::string> read_file_at(int directory, const std::string& path, std::size_t most);
Result<std::string> read_file(const std::string& path, std::size_t most);

// A descriptor that closes itself.
class Descriptor {
 public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_{fd} {}
    ~Descriptor();
    Descriptor(Descriptor&& other) noexcept : fd_{other.release()} {}
    Descriptor& operator=(Descriptor&& other) noexcept;

    int get() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }
    int release();

 private:
    int fd_ = -1;
};

}  // namespace sluice::config
