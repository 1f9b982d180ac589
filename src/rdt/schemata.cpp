#include "rdt/schemata.hpp"

#include <algorithm>
#include <map>

namespace berth::rdt {
namespace {

std::string_view take(std::string_view& text, char separator) {
  const std::string_view piece = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), piece.size() + 1));
  return piece;
}

std::string trimmed(std::string_view text) {
  std::string kept;
  for (const char character : text) {
    if (character != ' ' && character != '\t') {
      kept += character >= 'A' && character <= 'Z' ? static_cast<char>(character | 0x20) : character;
    }
  }
  return kept;
}

std::string value_of(std::string_view text) {
  const std::string value = trimmed(text);
  return value.substr(std::min(value.find_first_not_of('0'), value.size()));
}

// "resource:id" -> value, of one line.
std::map<std::string, std::string> values(std::string_view line) {
  std::map<std::string, std::string> found;
  const std::string resource = trimmed(take(line, ':'));
  while (!line.empty()) {
    std::string_view part = take(line, ';');
    const std::string id = trimmed(take(part, '='));
    found[resource + ":" + id] = value_of(part);
  }
  return found;
}

}  // namespace

std::string first_difference(std::string_view wanted, std::string_view present) {
  std::map<std::string, std::string> known;
  while (!present.empty()) {
    known.merge(values(take(present, '\n')));
  }
  while (!wanted.empty()) {
    const std::string_view line = take(wanted, '\n');
    const auto differs = [&](const auto& entry) {
      const auto found = known.find(entry.first);
      return found == known.end() || found->second != entry.second;
    };
    if (std::ranges::any_of(values(line), differs)) {
      return std::string(line);
    }
  }
  return {};
}

}  // namespace berth::rdt
