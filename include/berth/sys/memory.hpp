// Pages that are made present before they are touched.
//
// The first write to a page is a fault, and after a fork it is one again, in both processes. The way into the kernel
// and back costs more than the page itself, most of all in a virtual machine. madvise(2) with MADV_POPULATE_WRITE or
// MADV_POPULATE_READ (Linux 5.14) makes a whole range present in one call. Older kernels refuse that, and the faults
// happen as ever: nothing here can fail.
#pragma once

#include <cstddef>

namespace berth::sys {

/// The next `size` bytes that malloc(3) gives out. Memory that is freed stays with the process from here on.
void populate_heap(std::size_t size);

/// After a fork, in the process that goes on: what was written before it.
void populate_written();
/// After a fork, in the child: code, which a fork does not hand on.
void populate_code();

}  // namespace berth::sys
