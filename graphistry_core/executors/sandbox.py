"""A fence around a task's process, where the kernel has what it takes (Linux): against mistakes, not against attackers.

Two layers. Landlock: what Python needs is read-only, the task's scratch directory can be written, the rest of the disk
is not there, and no TCP connection can be made or taken. Namespaces: a user and a network of its own, with nothing in
it. Imports processes and errors.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ..errors import ConfigError

CHOICES = ("off", "on", "strict")
_CREATE, _ADD, _RESTRICT = 444, 445, 446  # system calls, the same on every architecture
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14  # truncate
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
_TCP = 0b11  # bind, connect
_SCOPES = 0b11  # abstract sockets, signals
_PATH_BENEATH = 1
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc",
    "/opt",
    "/proc",
    "/sys/devices/system/cpu",
    "/dev/urandom",
)
_PROBE = "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x50000000) != 0)"


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def landlock_version() -> int:
    """Return the version of Landlock's interface that the kernel has; 0 without Landlock."""
    if sys.platform != "linux":
        return 0
    return max(int(_libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))), 0)


@cache
def has_namespaces() -> bool:
    """Say whether a process may have a user and a network namespace of its own; tries it in one."""
    if sys.platform != "linux":
        return False
    return subprocess.run([sys.executable, "-c", _PROBE], check=False).returncode == 0  # noqa: S603


def layers() -> dict[str, str]:
    """Return what each layer does here, or why it is missing (then the sentence begins with 'no')."""
    version = landlock_version()
    files = "files: read-only but for a scratch directory" if version else "no Landlock in this kernel (5.13 or later)"
    tcp = "no TCP connections can be made" if version >= 4 else "no TCP rules in this kernel's Landlock (6.7 or later)"
    net = "a network of its own, with nothing in it" if has_namespaces() else "no user namespaces allowed here"
    return {"files": files, "tcp": "TCP: none" if version >= 4 else tcp, "network": net}


def check(choice: str) -> None:
    """Raise ConfigError for an unknown choice, or for 'strict' where a layer is missing."""
    if choice not in CHOICES:
        raise ConfigError(f"sandbox={choice!r} is unknown; use one of {', '.join(CHOICES)}.")
    missing = [said for said in layers().values() if said.startswith("no ")] if choice == "strict" else []
    if missing:
        raise ConfigError(f"The sandbox is strict, and a layer is missing: {'; '.join(missing)}.")


def enter(scratch: str, *, namespaces: bool) -> None:
    """Fence this process in, for good; it must have one thread, and have given up gaining privileges."""
    if namespaces:
        _unshare()
    if landlock_version():
        _restrict(scratch)


def _unshare() -> None:
    user, group = os.getuid(), os.getgid()
    if _libc().unshare(_NEW_USER | _NEW_NET):
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _restrict(scratch: str) -> None:
    version = landlock_version()
    files = _FILE_RIGHTS[min(version, 3)]
    ruleset = struct.pack("QQQ", files, _TCP if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    fd = _libc().syscall(_CREATE, ruleset, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    try:
        for path in dict.fromkeys(_readable()):
            _allow(fd, path, files & _READ)
        for path in ("/dev/null", "/dev/zero"):
            _allow(fd, path, files & (_READ_FILE | _WRITE_FILE))
        _allow(fd, scratch, files)
        if _libc().syscall(_RESTRICT, fd, ctypes.c_uint32(0)):
            raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    finally:
        os.close(fd)


def _readable() -> Iterator[str]:
    yield from _SYSTEM
    yield from (sys.prefix, sys.base_prefix, *sysconfig.get_paths().values())
    yield from (path for path in sys.path if path)
    yield str(Path(__file__).parents[2] / "graphistry_core")


def _allow(ruleset: int, path: str, rights: int) -> None:
    with contextlib.suppress(OSError):  # what is not there needs no rule
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):
                rights &= _ON_FILES
            _libc().syscall(_ADD, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, fd), ctypes.c_uint32(0))
        finally:
            os.close(fd)
