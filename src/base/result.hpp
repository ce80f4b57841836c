#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace sluice {

// What may fail outside of us. Each room has one enum of its own errors, made an `Error` by its
// category; errors of the system pass through unchanged.
using Error = boost::system::error_code;

template <class T>
using Result = boost::system::result<T>;

}  // namespace sluice
