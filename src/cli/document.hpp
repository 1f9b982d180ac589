#pragma once

#include <berth/base/error.hpp>

#include <string>

namespace berth::cli {

/// A document that an argument names: the file, or "-" for stdin. At most 1 MiB.
Result<std::string> read_document(const std::string& file);

}  // namespace berth::cli
