#include "rootfs/propagation.hpp"

#include <berth/sys/mount.hpp>

#include <fcntl.h>
#include <linux/mount.h>

namespace berth::rootfs {
namespace {

constexpr Propagation kAllSlaves{MS_SLAVE, true};

mount_attr attributes_of(const Propagation& propagation) {
  mount_attr attributes{};
  attributes.propagation = propagation.type;
  return attributes;
}

}  // namespace

Propagation propagation_of_host(const plan::Rootfs& plan) {
  if (plan.propagation == 0 || plan.propagation == MS_UNBINDABLE) {
    return kAllSlaves;
  }
  return {plan.propagation, plan.propagation_recursive};
}

Propagation propagation_while_building(const plan::Rootfs& plan) {
  const Propagation now = propagation_of_host(plan);
  const bool closed = now.recursive && (now.type == MS_SLAVE || now.type == MS_PRIVATE);
  return closed ? Propagation{} : kAllSlaves;
}

Propagation propagation_of_new_root(const plan::Rootfs& plan) {
  return {plan.propagation == MS_SLAVE ? std::uint64_t{MS_SLAVE} : std::uint64_t{MS_PRIVATE}, false};
}

Propagation propagation_of_root(const plan::Rootfs& plan) {
  if (plan.propagation == MS_SHARED || plan.propagation == MS_UNBINDABLE) {
    return {plan.propagation, plan.propagation_recursive};
  }
  return {};
}

Status set_root_propagation(const Propagation& propagation) {
  return propagation.type == 0 ? Status() : sys::root_set_attributes(attributes_of(propagation), propagation.recursive);
}

Status set_propagation(int mount, const Propagation& propagation) {
  return propagation.type == 0
             ? Status()
             : sys::mount_set_attributes(mount, attributes_of(propagation), propagation.recursive, "<rootfs>");
}

Status detach_alone(const path::ProcDir& proc, int mount, std::string_view destination) {
  TRY(sys::mount_set_attributes(mount, attributes_of({MS_PRIVATE, true}), true, destination));
  const sys::UniqueFd descriptors = TRY(proc.open_file("self/fd", O_PATH | O_DIRECTORY));
  return sys::detach_mount_of(descriptors.get(), mount, destination);
}

}  // namespace berth::rootfs
