#include <berth/base/log.hpp>
#include <berth/net/moved_devices.hpp>
#include <berth/sys/file.hpp>

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "net/netlink_socket.hpp"

namespace berth::net {
namespace {

// What a user may ask of an address; the rest of its flags are the kernel's own.
constexpr std::uint32_t kAddressFlags =
    IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;

struct Attribute {
  std::uint16_t type = 0;
  std::string bytes;
};

struct Address {
  ifaddrmsg header{};
  std::vector<Attribute> attributes;
};

struct Device {
  std::string name;
  int index = 0;
  bool up = false;
  std::vector<Address> addresses;
};

Result<Device> find_device(NetlinkSocket& socket, const std::string& name) {
  Device device;
  device.name = name;
  Request request(RTM_GETLINK, 0);
  request.header<ifinfomsg>();
  ::mnl_attr_put_strz(request.message(), IFLA_IFNAME, name.c_str());
  TRY(socket.exchange(request, "find it (RTM_GETLINK)", [&](const nlmsghdr& message) {
    const auto& link = *static_cast<const ifinfomsg*>(::mnl_nlmsg_get_payload(&message));
    device.index = link.ifi_index;
    device.up = (link.ifi_flags & IFF_UP) != 0;
  }));
  return device;
}

// The address, if it is one that goes along: "all permanent IP addresses (IFA_F_PERMANENT flag) of any family with
// global scope (RT_SCOPE_UNIVERSE value)" (config-linux.md).
void add_address(Device& device, const nlmsghdr& message) {
  const auto& header = *static_cast<const ifaddrmsg*>(::mnl_nlmsg_get_payload(&message));
  if (static_cast<int>(header.ifa_index) != device.index || header.ifa_scope != RT_SCOPE_UNIVERSE) {
    return;
  }
  Address address{.header = header, .attributes = {}};
  std::uint32_t flags = header.ifa_flags;
  const auto* end = static_cast<const char*>(::mnl_nlmsg_get_payload_tail(&message));
  const auto* attribute = static_cast<const nlattr*>(::mnl_nlmsg_get_payload_offset(&message, sizeof(ifaddrmsg)));
  for (; ::mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)));
       attribute = ::mnl_attr_next(attribute)) {
    const std::uint16_t type = ::mnl_attr_get_type(attribute);
    if (type == IFA_FLAGS) {
      flags = ::mnl_attr_get_u32(attribute);
    } else if (type == IFA_LOCAL || type == IFA_ADDRESS || type == IFA_BROADCAST || type == IFA_RT_PRIORITY) {
      address.attributes.push_back({type, std::string(static_cast<const char*>(::mnl_attr_get_payload(attribute)),
                                                      ::mnl_attr_get_payload_len(attribute))});
    }
  }
  if ((flags & IFA_F_PERMANENT) != 0) {
    flags &= kAddressFlags;
    address.header.ifa_flags = static_cast<__u8>(flags);
    address.attributes.push_back({IFA_FLAGS, std::string(reinterpret_cast<const char*>(&flags), sizeof flags)});
    device.addresses.push_back(std::move(address));
  }
}

Status read_addresses(NetlinkSocket& socket, Device& device) {
  Request request(RTM_GETADDR, NLM_F_DUMP);
  request.header<ifaddrmsg>();
  return socket.exchange(request, "read its addresses (RTM_GETADDR)",
                         [&](const nlmsghdr& message) { add_address(device, message); });
}

// One request that takes the device down, moves and renames it, in this order.
Status change_namespace(NetlinkSocket& socket, int index, const std::string& new_name, int network_namespace) {
  Request request(RTM_NEWLINK, 0);
  auto& link = request.header<ifinfomsg>();
  link.ifi_index = index;
  link.ifi_change = IFF_UP;
  ::mnl_attr_put_u32(request.message(), IFLA_NET_NS_FD, static_cast<std::uint32_t>(network_namespace));
  ::mnl_attr_put_strz(request.message(), IFLA_IFNAME, new_name.c_str());
  auto moved = socket.exchange(request, fmt::format("move it as \"{}\" (RTM_NEWLINK)", new_name));
  if (!moved) {
    Error error = std::move(moved).error();
    if (error.is(EEXIST)) {
      error.add_hint("the network namespace has a device of that name");
    } else if (error.is(EINVAL)) {
      error.add_hint("some kinds of devices, as bridges and lo, stay in their network namespace");
    }
    return std::unexpected(std::move(error));
  }
  return {};
}

Status set_up(NetlinkSocket& socket, int index) {
  Request request(RTM_NEWLINK, 0);
  auto& link = request.header<ifinfomsg>();
  link.ifi_index = index;
  link.ifi_change = IFF_UP;
  link.ifi_flags = IFF_UP;
  return socket.exchange(request, "set it up (RTM_NEWLINK)");
}

// Addresses and state of a device that arrived as `name`; the kernel may have given it another index.
Status furnish(NetlinkSocket& socket, const Device& device, const std::string& name, bool up) {
  const Device arrived = TRY(find_device(socket, name));
  for (const Address& address : device.addresses) {
    Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
    auto& header = request.header<ifaddrmsg>();
    header = address.header;
    header.ifa_index = static_cast<__u32>(arrived.index);
    for (const Attribute& attribute : address.attributes) {
      ::mnl_attr_put(request.message(), attribute.type, attribute.bytes.size(), attribute.bytes.data());
    }
    TRY(socket.exchange(request, "add an address (RTM_NEWADDR)"));
  }
  return up ? set_up(socket, arrived.index) : Status();
}

}  // namespace

struct MovedDevices::Loan {
  struct Entry {
    Device device;
    std::string new_name;
  };
  sys::UniqueFd own_namespace;
  NetlinkSocket host;
  NetlinkSocket container;
  std::vector<Entry> entries{};

  Status move(const plan::NetDevice& wanted, int network_namespace) {
    Device device = TRY(find_device(host, wanted.name));
    TRY(read_addresses(host, device));
    auto moved = change_namespace(host, device.index, wanted.new_name, network_namespace);
    if (!moved) {
      // The kernel renames after the move: where the name is taken, the device is there under its old one.
      if (!find_device(host, wanted.name)) {
        entries.push_back({std::move(device), wanted.name});
      }
      return moved;
    }
    entries.push_back({std::move(device), wanted.new_name});
    return furnish(container, entries.back().device, wanted.new_name, true);
  }
  Status bring_back(const Entry& entry) {
    const Device there = TRY(find_device(container, entry.new_name));
    TRY(change_namespace(container, there.index, entry.device.name, own_namespace.get()));
    return furnish(host, entry.device, entry.device.name, entry.device.up);
  }
};

MovedDevices::MovedDevices() = default;
MovedDevices::MovedDevices(MovedDevices&& other) noexcept = default;
MovedDevices& MovedDevices::operator=(MovedDevices&& other) noexcept = default;

MovedDevices::~MovedDevices() {
  if (!loan_) {
    return;
  }
  std::ranges::reverse(loan_->entries);
  for (const Loan::Entry& entry : loan_->entries) {
    if (auto returned = loan_->bring_back(entry); !returned) {
      log::warning("network device {} does not come back: {}", entry.device.name, returned.error().message());
    }
  }
}

Status MovedDevices::move(std::span<const plan::NetDevice> devices, int network_namespace) {
  if (devices.empty()) {
    return {};
  }
  sys::UniqueFd own = TRY(sys::open_at(AT_FDCWD, "/proc/self/ns/net", O_RDONLY));
  NetlinkSocket host = TRY(NetlinkSocket::open());
  NetlinkSocket container = TRY(NetlinkSocket::open_in(network_namespace));
  loan_ = std::make_unique<Loan>(Loan{std::move(own), std::move(host), std::move(container)});
  for (const plan::NetDevice& device : devices) {
    TRY_CONTEXT(loan_->move(device, network_namespace), "network device {}", device.name);
  }
  return {};
}

void MovedDevices::keep() {
  loan_.reset();
}

}  // namespace berth::net
