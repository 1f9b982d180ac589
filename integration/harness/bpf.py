"""Device programs of a cgroup2 (bpf(2))."""

import contextlib
import ctypes
import os
import struct

BPF = 321
PROG_LOAD, PROG_ATTACH, PROG_QUERY = 5, 8, 16
PROG_TYPE_CGROUP_DEVICE, CGROUP_DEVICE, ALLOW_MULTI = 15, 6, 2
#: BPF_CGROUP_MAX_PROGS: how many one cgroup takes.
MOST = 64


def _bpf(command, attributes):
    buffer = (ctypes.c_char * 128).from_buffer(bytearray(attributes.ljust(128, b"\0")))
    result = ctypes.CDLL(None, use_errno=True).syscall(BPF, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result, buffer.raw


@contextlib.contextmanager
def _opened(directory):
    fd = os.open(directory, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def attached(directory):
    """The ids of those that are attached to it."""
    ids = (ctypes.c_uint32 * MOST)()
    with _opened(directory) as fd:
        _, answer = _bpf(PROG_QUERY, struct.pack("IIIIQI", fd, CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), MOST))
    return list(ids[:struct.unpack_from("I", answer, 24)[0]])


def fill(directory):
    """Attaches programs that allow everything, until the cgroup takes no further one."""
    code = ctypes.create_string_buffer(struct.pack("BBhiBBhi", 0xb7, 0, 0, 1, 0x95, 0, 0, 0))  # return 1
    name = ctypes.create_string_buffer(b"GPL")
    load = struct.pack("IIQQ", PROG_TYPE_CGROUP_DEVICE, 2, ctypes.addressof(code), ctypes.addressof(name))
    with _opened(directory) as fd:
        for _ in range(MOST - len(attached(directory))):
            program, _ = _bpf(PROG_LOAD, load)
            try:
                _bpf(PROG_ATTACH, struct.pack("IIII", fd, program, CGROUP_DEVICE, ALLOW_MULTI))
            finally:
                os.close(program)
