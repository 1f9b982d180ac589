"""System calls that Python 3.11 has no function for."""

import ctypes
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_NEWTIME = 0x00000080
CLONE_NEWCGROUP = 0x02000000

MS_BIND = 4096
MS_REMOUNT = 32
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_SHARED = 1 << 20
MNT_DETACH = 2
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
PR_SET_CHILD_SUBREAPER = 36
KEYCTL_GET_KEYRING_ID = 0
KEYCTL_JOIN_SESSION_KEYRING = 1
KEYCTL_SETPERM = 5
KEY_ALL = 0x3f3f3f3f
KEY_SPEC_SESSION_KEYRING = -3
SYS_KEYCTL = 250
SYS_OPEN_TREE = 428
SYS_MOVE_MOUNT = 429
SYS_MOUNT_SETATTR = 442
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
OPEN_TREE_CLONE = 1
MOVE_MOUNT_F_EMPTY_PATH = 4
MOUNT_ATTR_RDONLY = 1


def _check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def unshare(flags):
    _check(_libc.unshare(flags))


def setns(fd, flags):
    _check(_libc.setns(fd, flags))


def mount(source, target, fstype, flags=0, data=None):
    encode = lambda text: None if text is None else os.fsencode(text)
    _check(_libc.mount(encode(source), encode(target), encode(fstype), ctypes.c_ulong(flags), encode(data)))


def clone_mount(fd, flags=0):
    """open_tree(2): a copy of the mount that `fd` is the root of; gives its descriptor."""
    return _check(_libc.syscall(SYS_OPEN_TREE, fd, b"", OPEN_TREE_CLONE | AT_EMPTY_PATH | flags))


def move_mount(fd, target):
    """move_mount(2): attaches the mount that `fd` is the root of."""
    _check(_libc.syscall(SYS_MOVE_MOUNT, fd, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH))


def make_writable(fd):
    """mount_setattr(2): the mount that `fd` is the root of is not read-only any more."""
    attributes = (ctypes.c_uint64 * 4)(0, MOUNT_ATTR_RDONLY, 0, 0)
    _check(_libc.syscall(SYS_MOUNT_SETATTR, fd, b"", AT_EMPTY_PATH, attributes, ctypes.sizeof(attributes)))


def umount(target, flags=MNT_DETACH):
    _check(_libc.umount2(os.fsencode(target), flags))


def become_subreaper():
    """Orphans of this process's descendants become its children, as they do for an engine's monitor."""
    _check(_libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def refuse_system_call(number, error):
    """A seccomp filter of this process and those that it starts. It does not ask for which architecture the call is."""
    instructions = [(0x20, 0, 0, 0),  # the call's number,
                    (0x15, 0, 1, number),  # if it is this one,
                    (0x06, 0, 0, 0x0005_0000 | error),  # SECCOMP_RET_ERRNO,
                    (0x06, 0, 0, 0x7fff_0000)]  # else SECCOMP_RET_ALLOW
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    memory = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxQ", len(instructions), ctypes.addressof(memory))
    _check(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(header), 0, 0))


def session_keyring():
    return _check(_libc.syscall(SYS_KEYCTL, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0))


def join_open_session_keyring(name):
    """A session keyring of this name that everybody may join; gives its number."""
    keyring = _check(_libc.syscall(SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, os.fsencode(name)))
    _check(_libc.syscall(SYS_KEYCTL, KEYCTL_SETPERM, keyring, KEY_ALL))
    return keyring
