#include "plan/clean_path.hpp"

#include <algorithm>

namespace berth::plan {
namespace {

// Takes the next component off `rest`; slashes around it go too.
std::string_view next_component(std::string_view& rest) {
  const std::size_t start = std::min(rest.find_first_not_of('/'), rest.size());
  const std::size_t end = std::min(rest.find('/', start), rest.size());
  const std::string_view component = rest.substr(start, end - start);
  rest.remove_prefix(end);
  return component;
}

}  // namespace

std::string clean_path(std::string_view path) {
  std::string result;
  result.reserve(path.size() + 1);
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view component = next_component(rest);
    if (component.empty() || component == ".") {
      continue;
    }
    if (component == "..") {
      result.erase(result.empty() ? 0 : result.rfind('/'));
      continue;
    }
    result += '/';
    result += component;
  }
  if (result.empty()) {
    result = "/";
  }
  return result;
}

std::string join_path(std::string_view base, std::string_view path) {
  if (path.starts_with('/')) {
    return clean_path(path);
  }
  std::string joined(base);
  joined += '/';
  joined += path;
  return clean_path(joined);
}

bool has_parent_component(std::string_view path) {
  for (std::string_view rest = path; !rest.empty();) {
    if (next_component(rest) == "..") {
      return true;
    }
  }
  return false;
}

}  // namespace berth::plan
