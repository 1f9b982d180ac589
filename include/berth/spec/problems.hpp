// What is wrong with a document, all of it in one error.
#pragma once

#include <berth/base/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::spec {

/// Collects what is wrong with a JSON document, each as `POINTER: got THIS, expected THAT`.
class Problems {
 public:
  void add(std::string_view pointer, std::string_view got, std::string_view expected);
  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// The first eight, joined by "; ", and how many more there are; of kind kConfig.
  [[nodiscard]] Error error() const;

 private:
  static constexpr std::size_t kShown = 8;
  std::vector<std::string> shown_;
  std::size_t count_ = 0;
};

/// A string of the document as a message shows it: in quotes, and cut when it is long.
[[nodiscard]] std::string quoted(std::string_view text);
/// The text, cut in a visible way when it is longer than a message should carry.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t limit = 64);
/// One step of a JSON pointer (RFC 6901): "a/b" becomes "/a~1b".
[[nodiscard]] std::string pointer_step(std::string_view name);

}  // namespace berth::spec
