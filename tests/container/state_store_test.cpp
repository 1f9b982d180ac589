#include <berth/container/state_store.hpp>

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

using namespace berth;
using namespace berth::container;

namespace {

class Root {
 public:
  Root() : path_(std::filesystem::temp_directory_path() / ("berth-store-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
  }
  ~Root() { std::filesystem::remove_all(path_); }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("ids are no paths") {
  for (const std::string& good :
       {std::string("a"), std::string("A-1_2+3.4"), std::string("..a"), std::string("-x"), std::string(1024, 'x')}) {
    CHECK(check_id(good).has_value());
  }
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a b"),
        std::string("a\0b", 3), std::string("\xc3\xa9"), std::string(1025, 'x'), std::string("a\n")}) {
    CHECK_FALSE(check_id(bad).has_value());
  }
}

TEST_CASE("a container exists once, from its directory on") {
  const Root root;
  const StateStore store(root.path() / "deeper" / "state");
  CHECK(store.ids().value().empty());
  CHECK(store.open("web").error().kind() == ErrorKind::kNotFound);
  {
    const auto directory = store.create("web");
    REQUIRE(directory.has_value());
    CHECK_FALSE(directory->load().value().has_value());
    const auto again = store.create("web");
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().kind() == ErrorKind::kExists);
    CHECK(again.error().message().find("container with given ID already exists") == 0);
    CHECK(store.ids().value() == std::vector<std::string>{"web"});
    REQUIRE(directory->remove().has_value());
  }
  CHECK(store.ids().value().empty());
  CHECK(store.lock("web").error().message() == "container \"web\" does not exist");
}

TEST_CASE("a view sees what the directory holds, without opening it") {
  const Root root;
  const StateStore store(root.path() / "state");
  CHECK_FALSE(store.view().value().has_value());
  const auto directory = store.create("web");
  REQUIRE(directory.has_value());
  const auto view = std::move(store.view().value().value());
  CHECK(view.ids().value() == std::vector<std::string>{"web"});
  CHECK(view.load("db").error().kind() == ErrorKind::kNotFound);
  CHECK_FALSE(view.load("web").value().has_value());
  spec::Record record;
  record.bundle = record.rootfs = "/b";
  record.pid = 7;
  REQUIRE(directory->save_intent(record).has_value());
  CHECK(view.load("web").value().value().pid == 7);
  record.pid = 8;
  REQUIRE(directory->save(record).has_value());
  CHECK(view.load("web").value().value().pid == 8);
  REQUIRE(directory->remove().has_value());
  CHECK(view.load("web").error().message() == "container \"web\" does not exist");
}

TEST_CASE("a record is replaced whole, and a torn one is an error") {
  const Root root;
  const StateStore store(root.path());
  const auto directory = store.create("web");
  REQUIRE(directory.has_value());
  spec::Record record;
  record.id = "web";
  record.bundle = "/b";
  record.rootfs = "/b/rootfs";
  record.boot_id = "boot";
  record.created = "2026-11-20T00:00:00Z";
  record.cgroup.manager = "cgroupfs";
  REQUIRE(directory->save_intent(record).has_value());
  CHECK_FALSE(directory->load().value()->committed);
  record.committed = true;
  REQUIRE(directory->save(record).has_value());
  CHECK(directory->load().value()->committed);
  std::filesystem::resize_file(root.path() / "web" / "record.json", 10);
  CHECK_FALSE(directory->load().has_value());
  CHECK(directory->load_intent().value()->bundle == "/b");
  CHECK(directory->remove().has_value());
}

TEST_CASE("a lock that was given up can be taken again, unless the container is gone") {
  const Root root;
  const StateStore store(root.path());
  const auto directory = store.create("web");
  REQUIRE(directory.has_value());
  REQUIRE(directory->unlock().has_value());
  {
    const auto other = store.lock("web");
    REQUIRE(other.has_value());
    REQUIRE(other->unlock().has_value());
    CHECK(directory->lock().value());
    REQUIRE(directory->unlock().has_value());
    REQUIRE(other->remove().has_value());
  }
  const auto successor = store.create("web");
  CHECK_FALSE(directory->lock().value());
}
