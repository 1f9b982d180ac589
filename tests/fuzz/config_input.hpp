// What the fuzzers give their inputs to.
#pragma once

#include <string_view>

namespace berth::test {

/// Reads `text` as everything that comes from outside: a configuration, which is then lowered for root, for a user and
/// for an update, a document of resources, and a container's record. Aborts with a message where an error breaks its
/// own rules: one line, of bounded length, of the right kind.
void read_as_everything(std::string_view text);

}  // namespace berth::test
