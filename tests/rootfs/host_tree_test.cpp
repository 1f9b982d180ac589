#include "rootfs/host_tree.hpp"

#include <cerrno>

#include "rootfs/in_namespaces.hpp"

using namespace berth::test;
using namespace berth;

namespace {

constexpr const char* kStays = "this host's root does not lie on its first mount, or the kernel does not tell";

// Whether it has to work here.
bool lies_on_first_mount() {
  const auto root = sys::root_mount();
  const auto host = root ? sys::mount_status(root->mount_id) : std::unexpected(root.error());
  const auto below = host ? sys::mount_status(host->parent_id) : std::unexpected(host.error());
  return root && root->is_root && below && below->parent_id == host->parent_id && (below->propagation & MS_SHARED) == 0;
}

std::string make_all_slaves() {
  mount_attr attributes{};
  attributes.propagation = MS_SLAVE;
  const Status made = sys::root_set_attributes(attributes, true);
  return made ? "" : made.error().message();
}

}  // namespace

TEST_CASE("the host's tree is left, and what comes onto the mount below it is the root") {
  TemporaryTree tree;
  tree.file("root/marker", "container");
  const std::string result = in_namespaces(
      [&] {
        EXPECT_TEXT(make_all_slaves(), "");
        const auto root = sys::open_tree(AT_FDCWD, tree.at("root").string(), OPEN_TREE_CLONE, "root");
        EXPECT(root);
        const auto left = rootfs::leave_host_tree();
        EXPECT(left);
        if (!*left) {
          return std::string(lies_on_first_mount() ? "left nothing" : kStays);
        }
        EXPECT(!std::filesystem::exists(tree.at("root")));
        EXPECT_OK(sys::move_mount_onto_root(root->get(), "root"));
        EXPECT_OK(sys::enter_directory(root->get(), "root"));
        EXPECT_OK(sys::change_root_here());
        EXPECT_TEXT(content("/marker"), "container");
        return std::string();
      },
      false);
  if (result == kStays) {
    WARN("skipped: " << kStays);
    return;
  }
  CHECK(result == "");
}

TEST_CASE("in a user namespace the host's tree is locked and stays") {
  TemporaryTree tree;
  tree.file("root/marker", "host");
  CHECK(in_namespaces([&] {
          EXPECT_TEXT(make_all_slaves(), "");
          const auto left = rootfs::leave_host_tree();
          EXPECT(left && !*left);
          const Status detached = sys::detach_mount("/");
          EXPECT(!detached && detached.error().is(EINVAL));
          EXPECT_TEXT(content(tree.at("root/marker").string().c_str()), "host");
          return std::string();
        }) == "");
}
