#include "launch/exec_program.hpp"

#include <elf.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace berth;
using namespace berth::launch;

namespace {

bool nothing_exists(const std::string&) {
  return false;
}
bool everything_exists(const std::string&) {
  return true;
}

std::string elf(Elf64_Half machine, const std::string& loader) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_machine = machine;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment{};
  segment.p_type = loader.empty() ? PT_LOAD : PT_INTERP;
  segment.p_offset = sizeof header + sizeof segment;
  segment.p_filesz = loader.size() + 1;
  std::string bytes(sizeof header + sizeof segment, '\0');
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, &segment, sizeof segment);
  return bytes + loader + '\0';
}

// A directory with one executable, one plain file and one directory.
class Programs {
 public:
  Programs() : path_(std::filesystem::temp_directory_path() / ("berth-programs-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_ / "first" / "directory");
    std::filesystem::create_directories(path_ / "second");
    std::ofstream(path_ / "first" / "plain") << "x";
    std::ofstream(path_ / "second" / "plain") << "x";
    std::ofstream(path_ / "second" / "tool") << "x";
    std::filesystem::permissions(path_ / "second" / "tool", std::filesystem::perms::owner_all);
  }
  ~Programs() { std::filesystem::remove_all(path_); }
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;
  std::string operator/(const std::string& name) const { return path_ / name; }
  std::vector<std::string> environment() const { return {"A=b", "PATH=" + *this / "first" + ":" + *this / "second"}; }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("a script's interpreter is looked for") {
  CHECK(suspicion_of_header("#!/bin/bash -e\nexit", "x", nothing_exists) ==
        "its #! interpreter /bin/bash does not exist in the rootfs or cannot be executed");
  CHECK(suspicion_of_header("#! /bin/bash\n", "x", everything_exists).empty());
  CHECK(suspicion_of_header("#!\n", "x", everything_exists) == "its #! line names no interpreter");
  CHECK(suspicion_of_header("#!", "x", everything_exists) == "its #! line names no interpreter");
  CHECK(suspicion_of_header("#!/bin/sh\r\n", "x", nothing_exists).find("carriage return") != std::string::npos);
}

TEST_CASE("an ELF file's loader and architecture are looked at") {
#if defined(__x86_64__)
  constexpr Elf64_Half kOwn = EM_X86_64;
  constexpr Elf64_Half kForeign = EM_AARCH64;
#else
  constexpr Elf64_Half kOwn = EM_AARCH64;
  constexpr Elf64_Half kForeign = EM_X86_64;
#endif
  CHECK(suspicion_of_header(elf(kOwn, "/lib64/ld.so"), "x", nothing_exists) ==
        "its ELF loader /lib64/ld.so does not exist in the rootfs");
  CHECK(suspicion_of_header(elf(kOwn, "/lib64/ld.so"), "x", everything_exists).empty());
  CHECK(suspicion_of_header(elf(kOwn, ""), "x", nothing_exists).empty());
  CHECK(suspicion_of_header(elf(kForeign, ""), "x", nothing_exists).find("it is built for the") == 0);
}

TEST_CASE("every cut of an ELF file is looked at safely") {
  const std::string bytes = elf(EM_X86_64, "/lib64/ld.so");
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    CHECK_NOTHROW(suspicion_of_header(std::string_view(bytes).substr(0, length), "x", nothing_exists));
  }
  CHECK(suspicion_of_header("", "/x", nothing_exists) == "/x is empty");
  CHECK(suspicion_of_header("MZ", "/x", nothing_exists) == "it is neither an ELF file nor a script with a #! line");
}

TEST_CASE("a program is found in $PATH, where only executable files count") {
  const Programs programs;
  CHECK(find_program("tool", programs.environment()).value() == programs / "second/tool");
  CHECK(find_program(programs / "second/tool", {}).value() == programs / "second/tool");
}

TEST_CASE("a program that is nowhere is reported in the words that engines look for") {
  const Programs programs;
  const auto found = find_program("nothing", programs.environment());
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().kind() == ErrorKind::kExec);
  CHECK(found.error().message().find("exec: \"nothing\": executable file not found in $PATH") == 0);
  CHECK(find_program(programs / "nothing", {}).error().message().find("no such file or directory") !=
        std::string::npos);
}

TEST_CASE("a file that may not be executed says why") {
  const Programs programs;
  const auto plain = find_program("plain", programs.environment());
  REQUIRE_FALSE(plain.has_value());
  CHECK(plain.error().message().find("permission denied (it has no execute permission: chmod +x)") !=
        std::string::npos);
  const auto directory = find_program("directory", programs.environment());
  REQUIRE_FALSE(directory.has_value());
  CHECK(directory.error().message().find("it is a directory") != std::string::npos);
}

TEST_CASE("what is announced of an exec arrives, whatever the path is called") {
  const ExecAnnouncement odd = read_exec_announcement(exec_announcement("/bin/a\nb", "why"));
  CHECK(odd.path == "/bin/a\nb");
  CHECK(odd.suspicion == "why");
  const ExecAnnouncement none = read_exec_announcement(exec_announcement("/bin/a", ""));
  CHECK(none.suspicion.empty());
  CHECK(read_exec_announcement("").path.empty());
  CHECK(exec_announcement(std::string(5000, 'x'), std::string(5000, 'y')).size() < 8 * 1024 - 1);
}
