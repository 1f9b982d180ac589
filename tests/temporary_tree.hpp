// A directory of the test's own, with files, links and directories in it, that is removed in the end.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

namespace berth::test {

class TemporaryTree {
 public:
  TemporaryTree() {
    std::string name = (std::filesystem::temp_directory_path() / "berth-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  TemporaryTree(const TemporaryTree&) = delete;
  TemporaryTree& operator=(const TemporaryTree&) = delete;
  ~TemporaryTree() {
    std::error_code ignored;  // a test that fails for another reason must not end here
    std::filesystem::remove_all(root_, ignored);
  }

  [[nodiscard]] std::filesystem::path at(const std::string& path) const { return root_ / path; }
  TemporaryTree& directory(const std::string& path) {
    std::filesystem::create_directories(at(path));
    return *this;
  }
  TemporaryTree& file(const std::string& path, const std::string& content = "") {
    std::filesystem::create_directories(at(path).parent_path());
    std::ofstream(at(path)) << content;
    return *this;
  }
  TemporaryTree& link(const std::string& path, const std::string& target) {
    std::filesystem::create_directories(at(path).parent_path());
    std::filesystem::create_symlink(target, at(path));
    return *this;
  }
  [[nodiscard]] bool exists(const std::string& path) const {
    return std::filesystem::symlink_status(at(path)).type() != std::filesystem::file_type::not_found;
  }
  /// Names, types and contents of everything below `path`, one a line: equal before and after means unchanged.
  [[nodiscard]] std::string fingerprint(const std::string& path) const;

 private:
  std::filesystem::path root_;
};

inline std::string TemporaryTree::fingerprint(const std::string& path) const {
  std::string lines;
  std::vector<std::filesystem::path> entries;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(at(path))) {
    entries.push_back(entry.path());
  }
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    const auto status = std::filesystem::symlink_status(entry);
    lines += entry.string() + " " + std::to_string(static_cast<int>(status.type())) + " " +
             std::to_string(static_cast<unsigned>(status.permissions()));
    if (status.type() == std::filesystem::file_type::regular) {
      std::ifstream stream(entry);
      lines += " " + std::string(std::istreambuf_iterator<char>(stream), {});
    }
    lines += "\n";
  }
  return lines;
}

}  // namespace berth::test
