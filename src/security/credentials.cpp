#include <berth/security/credentials.hpp>
#include <berth/sys/credentials.hpp>
#include <berth/sys/process.hpp>

#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <memory>
#include <span>
#include <string>

namespace berth::security {
namespace {

constexpr std::uint64_t bit(unsigned capability) {
  return std::uint64_t{1} << capability;
}

// CAP_CHOWN, as configurations write it.
std::string capability_name(unsigned capability) {
  const std::unique_ptr<char, int (*)(void*)> name(::cap_to_name(static_cast<cap_value_t>(capability)), ::cap_free);
  std::string text = name ? name.get() : std::to_string(capability);
  std::ranges::transform(text, text.begin(),
                         [](char letter) { return letter >= 'a' && letter <= 'z' ? char(letter & ~0x20) : letter; });
  return text;
}

// Calls `apply` with the number of each capability in the mask, until one fails.
template <class Apply>
Status for_each_capability(std::uint64_t mask, Apply apply) {
  for (; mask != 0; mask &= mask - 1) {
    TRY(apply(static_cast<unsigned>(std::countr_zero(mask))));
  }
  return {};
}

Status drop_from_bounding_set(unsigned capability) {
  const auto value = static_cast<cap_value_t>(capability);
  if (::cap_drop_bound(value) == 0) {
    return {};
  }
  const int drop_error = errno;
  // Without CAP_SETPCAP nothing may be dropped, which matters only for what is there.
  if (::cap_get_bound(value) == 0) {
    return {};
  }
  Error error = Error::system(drop_error, fmt::format("drop {} from the bounding set", capability_name(capability)));
  if (drop_error == EPERM) {
    error.add_hint("it needs CAP_SETPCAP");
  }
  return std::unexpected(std::move(error));
}

Status set_supplementary_groups(std::span<const gid_t> groups) {
  Status status = sys::set_groups(groups);
  if (status) {
    return {};
  }
  Error& error = status.error();
  if (error.is(EPERM) && (TRY(sys::get_capabilities()).effective & bit(CAP_SETGID)) != 0) {
    // With CAP_SETGID only "deny" in /proc/PID/setgroups is left as the reason: a user namespace that an
    // unprivileged user mapped (user_namespaces(7), CVE-2014-8989). The groups of that user then stay.
    if (groups.empty()) {
      return {};
    }
    error.add_hint("the user namespace denies setgroups(2), so process.user.additionalGids must be empty");
  } else if (error.is(EINVAL)) {
    error.add_hint("one of process.user.additionalGids is not mapped in the user namespace");
  }
  return status;
}

Status set_group_id(gid_t gid) {
  Status status = sys::set_gid(gid);
  if (!status && status.error().is(EINVAL)) {
    status.error().add_hint("this gid is not mapped in the user namespace");
  }
  return status;
}

Status set_user_id(uid_t uid) {
  Status status = sys::set_uid(uid);
  if (!status && status.error().is(EINVAL)) {
    status.error().add_hint("this uid is not mapped in the user namespace");
  } else if (!status && status.error().is(EAGAIN)) {
    status.error().add_hint("the user has more processes than RLIMIT_NPROC allows");
  }
  return status;
}

// The names of what a refused capset(2) asked for and could not have.
std::string refused(const sys::CapabilitySets& wanted, const sys::CapabilitySets& held) {
  const std::uint64_t missing = (wanted.permitted & ~held.permitted) | (wanted.effective & ~wanted.permitted) |
                                (wanted.inheritable & ~(held.inheritable | held.permitted));
  std::string names;
  for (std::uint64_t left = missing; left != 0; left &= left - 1) {
    names += names.empty() ? "" : ", ";
    names += capability_name(static_cast<unsigned>(std::countr_zero(left)));
  }
  return names;
}

Status set_capability_sets(const sys::CapabilitySets& sets) {
  Status status = sys::set_capabilities(sets);
  if (!status && status.error().is(EPERM)) {
    const std::string names = refused(sets, TRY(sys::get_capabilities()));
    if (!names.empty()) {
      status.error().add_hint(fmt::format("the runtime itself does not have {}", names));
    }
  }
  return status;
}

Status set_ambient(std::uint64_t inheritable, std::uint64_t ambient) {
  // The kernel keeps ambient within inheritable: without that, capset(2) has emptied it (capabilities(7)).
  if (inheritable != 0) {
    // One call; libcap's cap_reset_ambient(3) makes one for each capability.
    TRY(sys::process_control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, "PR_CAP_AMBIENT_CLEAR_ALL"));
  }
  return for_each_capability(ambient, [](unsigned capability) -> Status {
    if (::cap_set_ambient(static_cast<cap_value_t>(capability), CAP_SET) == 0) {
      return {};
    }
    Error error = Error::system(errno, fmt::format("raise ambient {}", capability_name(capability)));
    if (error.is(EPERM)) {
      error.add_hint("an ambient capability must be permitted and inheritable too");
    }
    return std::unexpected(std::move(error));
  });
}

}  // namespace

Result<std::uint64_t> known_capabilities() {
  // libcap has asked the kernel when the program started (PR_CAPBSET_READ).
  const auto count = static_cast<unsigned>(::cap_max_bits());
  constexpr unsigned kMaskBits = 64;
  if (count == 0 || count >= kMaskBits) {
    return fail(ErrorKind::kInternal, "the kernel knows {} capabilities", count);
  }
  return bit(count) - 1;
}

Status become_namespace_root(bool keep_groups) {
  TRY(set_group_id(0));
  TRY(keep_groups ? Status() : set_supplementary_groups({}));
  TRY(set_user_id(0));
  return {};
}

Status apply_credentials(const plan::User& user, const plan::Capabilities& capabilities, const KeptCapabilities& kept) {
  const std::uint64_t known = TRY(known_capabilities());
  std::uint64_t kept_over_exec = 0;
  if (kept.over_exec) {
    // What is no longer in the bounding set cannot become inheritable.
    sys::CapabilitySets sets = TRY(sys::get_capabilities());
    kept_over_exec = kept.capabilities | (sets.permitted & bit(CAP_SYS_PTRACE));
    sets.inheritable |= kept_over_exec;
    TRY(set_capability_sets(sets));
  }
  const std::uint64_t all_kept = kept.capabilities | kept_over_exec;
  // First, while CAP_SETPCAP is still there. Dropping one that is absent already costs as much as looking.
  TRY(for_each_capability(known & ~capabilities.bounding, drop_from_bounding_set));
  const std::uint64_t permitted = capabilities.permitted | all_kept;
  if (user.uid != 0 && permitted != 0) {
    // Else leaving uid 0 would clear the permitted set; exec takes the flag back.
    TRY(sys::process_control(PR_SET_KEEPCAPS, 1, 0, "PR_SET_KEEPCAPS"));
  }
  TRY(set_group_id(user.gid));
  // With an empty list too: the caller's groups are not the container's (CVE-2022-2989, CVE-2022-36109).
  TRY(user.keep_groups ? Status() : set_supplementary_groups(user.additional_gids));
  TRY(set_user_id(user.uid));
  TRY(set_capability_sets({.effective = capabilities.effective | all_kept,
                           .permitted = permitted,
                           .inheritable = capabilities.inheritable | kept_over_exec}));
  TRY(set_ambient(capabilities.inheritable | kept_over_exec, capabilities.ambient | kept_over_exec));
  sys::set_umask(user.umask);
  return {};
}

Status finish_capabilities(const plan::Capabilities& capabilities) {
  return sys::set_capabilities({.effective = capabilities.effective,
                                .permitted = capabilities.permitted,
                                .inheritable = capabilities.inheritable});
}

}  // namespace berth::security
