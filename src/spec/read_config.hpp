// The readers of config.json's objects, split over the files that are named after them.
#pragma once

#include <berth/spec/config.hpp>

#include "spec/json_reader.hpp"

namespace berth::spec {

void read(const Cursor& at, Hook& hook);
void read(const Cursor& at, IdMapping& mapping);
void read(const Cursor& at, Process& process);
void read(const Cursor& at, Linux& out);
void read(const Cursor& at, Resources& resources);

}  // namespace berth::spec
