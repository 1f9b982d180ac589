#pragma once

#include <berth/base/error.hpp>

#include <string_view>

#include "spec/json_value.hpp"

namespace berth::spec {

/// Parses one JSON document. Refuses what parsers differ about (a name twice in an object, NUL bytes) and nesting so
/// deep that no configuration has it. The error, of kind kConfig, says line, column, pointer and what is wrong.
Result<Value> parse_json(std::string_view text);

}  // namespace berth::spec
