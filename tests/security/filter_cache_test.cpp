#include "security/filter_cache.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

using namespace berth;
using security::filter_key;
using security::FilterCache;

namespace {

class TemporaryDirectory {
 public:
  TemporaryDirectory() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string cache() const { return path_ + "/cache"; }
  [[nodiscard]] std::filesystem::path only_file() const {
    REQUIRE(std::distance(std::filesystem::directory_iterator(cache()), {}) == 1);
    return std::filesystem::directory_iterator(cache())->path();
  }

 private:
  std::string path_ = "/tmp/berth-filter-cache-XXXXXX";
};

const std::vector<sock_filter> kFilter = {{0x20, 0, 0, 4}, {0x06, 0, 0, 0x7fff0000}};

bool same(const std::optional<std::vector<sock_filter>>& found) {
  return found && found->size() == kFilter.size() &&
         std::equal(found->begin(), found->end(), kFilter.begin(),
                    [](const sock_filter& one, const sock_filter& other) {
                      return one.code == other.code && one.jt == other.jt && one.jf == other.jf && one.k == other.k;
                    });
}

}  // namespace

TEST_CASE("a filter that was kept is found by its own key only") {
  const TemporaryDirectory directory;
  const FilterCache cache(directory.cache());
  CHECK_FALSE(cache.find("key"));
  cache.keep("key", kFilter);
  CHECK(same(cache.find("key")));
  CHECK_FALSE(cache.find("kex"));
  CHECK_FALSE(cache.find("ke"));
  CHECK_FALSE(cache.find("key "));
  CHECK_FALSE(FilterCache("").find("key"));
}

TEST_CASE("two keys of one slot are never taken for each other, and the number of files is bounded") {
  const TemporaryDirectory directory;
  const FilterCache cache(directory.cache());
  for (int number = 0; number < 300; ++number) {
    cache.keep(std::to_string(number), std::vector<sock_filter>{{0x06, 0, 0, static_cast<std::uint32_t>(number)}});
  }
  int found = 0;
  for (int number = 0; number < 300; ++number) {
    if (const auto filter = cache.find(std::to_string(number))) {
      ++found;
      CHECK(filter->front().k == static_cast<std::uint32_t>(number));
    }
  }
  CHECK(found > 30);
  CHECK(std::distance(std::filesystem::directory_iterator(directory.cache()), {}) <= 64);
}

TEST_CASE("what is cut short, altered or not this user's own is not used") {
  const TemporaryDirectory directory;
  const FilterCache cache(directory.cache());
  cache.keep("key", kFilter);
  const std::filesystem::path file = directory.only_file();
  SECTION("cut short") {
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - sizeof(sock_filter));
  }
  SECTION("empty") {
    std::filesystem::resize_file(file, 0);
  }
  SECTION("altered") {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(-1, std::ios::end);
    stream.put('x');
  }
  SECTION("open to others") {
    REQUIRE(::chmod(file.c_str(), 0644) == 0);
  }
  SECTION("in a directory that is open to others") {
    REQUIRE(::chmod(directory.cache().c_str(), 0755) == 0);
  }
  SECTION("a symbolic link") {
    std::filesystem::rename(file, directory.cache() + "/elsewhere");
    std::filesystem::create_symlink("elsewhere", file);
  }
  CHECK_FALSE(cache.find("key"));
}

TEST_CASE("the key tells all profiles apart that compile to different filters") {
  using plan::Seccomp;
  using plan::SeccompRule;
  const plan::SeccompArgument argument{.index = 1, .op = plan::SeccompOperator::kEq, .value = 2, .value_two = 0};
  Seccomp base;
  base.rules.emplace_back();
  base.rules[0].names = {"read", "write"};
  base.rules[0].arguments = {argument};
  std::set<std::string> keys = {filter_key(base)};
  const auto differs = [&](const auto& change) {
    Seccomp changed = base;
    change(changed);
    CHECK(keys.insert(filter_key(changed)).second);
  };
  differs([](Seccomp& seccomp) { seccomp.default_action = plan::SeccompAction::kErrno; });
  differs([](Seccomp& seccomp) { seccomp.default_errno_return = 38; });
  differs([](Seccomp& seccomp) { seccomp.fail_unknown = true; });
  differs([](Seccomp& seccomp) { seccomp.architectures = {"SCMP_ARCH_X86_64"}; });
  differs([](Seccomp& seccomp) { seccomp.rules.clear(); });
  differs([](Seccomp& seccomp) { seccomp.rules.push_back(seccomp.rules.front()); });
  differs([](Seccomp& seccomp) { seccomp.rules[0].names = {"readwrite"}; });
  differs([](Seccomp& seccomp) { seccomp.rules[0].names = {"rea", "dwrite"}; });
  differs([](Seccomp& seccomp) { seccomp.rules[0].action = plan::SeccompAction::kLog; });
  differs([](Seccomp& seccomp) { seccomp.rules[0].errno_return = 2; });
  differs([](Seccomp& seccomp) { seccomp.rules[0].arguments.clear(); });
  differs([](Seccomp& seccomp) { seccomp.rules[0].arguments[0].index = 2; });
  differs([](Seccomp& seccomp) { seccomp.rules[0].arguments[0].op = plan::SeccompOperator::kNe; });
  differs([](Seccomp& seccomp) { seccomp.rules[0].arguments[0].value = 3; });
  differs([](Seccomp& seccomp) { seccomp.rules[0].arguments[0].value_two = 3; });
}
