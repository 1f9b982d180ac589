#pragma once

#include <berth/base/log.hpp>

#include <string>

namespace berth::cli {

/// --log, --log-format, --log-level and --debug.
struct LogOptions {
  std::string target;  ///< empty: stderr
  log::Format format = log::Format::kText;
  log::Level level = log::Level::kInfo;
};

}  // namespace berth::cli
