#pragma once

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

/// The whole file; a test that misses its data fails.
inline std::string read_test_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw std::runtime_error("cannot open " + path);
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
