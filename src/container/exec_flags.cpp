#include "container/exec_flags.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

namespace berth::container {
namespace {

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t id = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), id);
  // 4294967295 is -1, which means "leave it" to the system calls that set ids.
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole && id != std::numeric_limits<std::uint32_t>::max() ? std::optional(id) : std::nullopt;
}

bool is_name(std::string_view text) {
  const auto is_letter = [](char character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') || character == '_';
  };
  return !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, [&](char character) {
    return is_letter(character) || (character >= '0' && character <= '9') || character == '-' || character == '.';
  });
}

// What is a number is one, whatever the container's passwd file calls by it (CVE-2016-3697).
Result<std::string> apply_user(const std::string& text, spec::User& user) {
  const std::size_t colon = text.find(':');
  const auto uid = parse_id(std::string_view(text).substr(0, colon));
  if (uid && colon == std::string::npos) {
    user.uid = *uid;
    return std::string();
  }
  if (uid) {
    if (const auto gid = parse_id(std::string_view(text).substr(colon + 1))) {
      user.uid = *uid;
      user.gid = *gid;
      return std::string();
    }
  } else if (is_name(text)) {
    return text;
  }
  return fail(ErrorKind::kUsage, "--user \"{}\": expected UID, UID:GID (0 to 4294967294) or a name", one_line(text));
}

void set_variable(std::vector<std::string>& environment, const std::string& variable) {
  const std::string_view name = std::string_view(variable).substr(0, variable.find('=') + 1);
  const auto found =
      std::ranges::find_if(environment, [name](const std::string& entry) { return entry.starts_with(name); });
  if (found != environment.end()) {
    *found = variable;
  } else {
    environment.push_back(variable);
  }
}

// Never inheritable, nor ambient (CVE-2022-29162).
void add_capability(spec::Capabilities& capabilities, std::string name) {
  std::ranges::transform(name, name.begin(),
                         [](char letter) { return letter >= 'a' && letter <= 'z' ? char(letter & ~0x20) : letter; });
  if (!name.starts_with("CAP_")) {
    name = "CAP_" + name;
  }
  for (auto* set : {&capabilities.bounding, &capabilities.effective, &capabilities.permitted}) {
    if (std::ranges::find(*set, name) == set->end()) {
      set->push_back(name);
    }
  }
}

}  // namespace

Result<std::string> apply_flags(const ProcessFlags& flags, spec::Process& process) {
  if (!flags.args.empty()) {
    process.args = flags.args;
  }
  if (!flags.cwd.empty()) {
    process.cwd = flags.cwd;
  }
  for (const std::string& variable : flags.env) {
    if (variable.find('=') == std::string::npos || variable.starts_with('=')) {
      return fail(ErrorKind::kUsage, "--env \"{}\": expected NAME=VALUE", one_line(variable));
    }
    set_variable(process.env, variable);
  }
  process.user.additional_gids.insert(process.user.additional_gids.end(), flags.additional_gids.begin(),
                                      flags.additional_gids.end());
  for (const std::string& capability : flags.capabilities) {
    add_capability(process.capabilities ? *process.capabilities : process.capabilities.emplace(), capability);
  }
  if (!flags.apparmor_profile.empty()) {
    process.apparmor_profile = flags.apparmor_profile;
  }
  if (!flags.selinux_label.empty()) {
    process.selinux_label = flags.selinux_label;
  }
  process.terminal |= flags.terminal;
  process.no_new_privileges |= flags.no_new_privileges;
  return flags.user.empty() ? std::string() : apply_user(flags.user, process.user);
}

}  // namespace berth::container
