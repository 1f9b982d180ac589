#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace berth::spec {

/// A program that the specification runs at a point of the lifecycle.
struct Hook {
  std::string path;               ///< absolute on the host, or in the container for startContainer
  std::vector<std::string> args;  ///< args[0] is the program's name for itself; empty: the path
  std::vector<std::string> env;
  std::optional<std::chrono::seconds> timeout;
};

}  // namespace berth::spec
