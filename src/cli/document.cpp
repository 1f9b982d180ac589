#include "cli/document.hpp"

#include <berth/sys/file.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace berth::cli {

Result<std::string> read_document(const std::string& file) {
  constexpr std::size_t kMaxDocument = std::size_t{1} << 20U;
  return file == "-" ? sys::read_all(STDIN_FILENO, kMaxDocument, "stdin")
                     : sys::read_file(AT_FDCWD, file, kMaxDocument);
}

}  // namespace berth::cli
