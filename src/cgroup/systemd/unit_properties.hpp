// From limits to the properties of a unit (systemd.resource-control(5), org.freedesktop.systemd1(5)). Pure.
#pragma once

#include <berth/base/error.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cgroup/file_write.hpp"
#include "cgroup/systemd/bus_message.hpp"

namespace berth::cgroup::systemd {

/// What systemd of this version can hold of these limits; it would otherwise put its own values in their place when it
/// writes the unit's cgroup anew. The others are in the cgroup's files only. A quota of cpu is rounded up to whole
/// percents, as systemd keeps it: the files have the exact one and are written afterwards.
std::vector<UnitProperty> unit_properties(const std::vector<FileWrite>& writes, unsigned version);

/// The number in systemd's property Version: 252 of "252.39-1~deb12u2", 245 of "v245-1". 0 if it has none.
unsigned systemd_version(std::string_view text);

/// The properties in annotations `org.systemd.property.NAME`, their values in GVariant text format: true, 'text', 5,
/// uint64 5, ['a', 'b'], [byte 0x01]. A NAME that ends with Sec and not USec is in seconds and becomes NAMEUSec.
Result<std::vector<UnitProperty>> annotated_properties(const std::map<std::string, std::string>& annotations);

}  // namespace berth::cgroup::systemd
