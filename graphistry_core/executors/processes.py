"""The operating system's side of task processes: sessions, descendants, limits. Imports nothing of ours.

On Linux all of it holds. Elsewhere a task's process group is ended, but not who left it, and memory is not watched.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38
_END_S = 5.0


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def gain_nothing() -> None:
    """Give up for good whatever set-user-id programs could gain, and core dumps."""
    import resource

    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Have this process signalled when the thread that made it ends (Linux)."""
    _prctl(_PR_SET_PDEATHSIG, number)


def children(pid: int) -> list[int]:
    """Return a process's children, of all of its threads (Linux; elsewhere none)."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
    return found


def descendants(pid: int) -> Iterator[int]:
    """Yield a process's children, theirs, and so on."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def end_descendants(keep: Collection[int] = (), group: int | None = None) -> None:
    """Kill and bury everything below this process but some children (what is below these is killed too).

    ``group``: a process group to kill first, at once: who forks without end is faster than who looks for them.
    """
    deadline = time.monotonic() + _END_S
    while True:
        if group is not None:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)
        left = [pid for pid in descendants(os.getpid()) if pid not in keep and not _is_dead(pid)]
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for pid in children(os.getpid()):
            if pid not in keep:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)
        if not left or time.monotonic() > deadline:
            return
        time.sleep(0.001)


def _is_dead(pid: int) -> bool:
    """Say whether a process has ended, but for its parent's asking."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except (OSError, IndexError):
        return True


def anonymous_bytes(pid: int) -> int:
    """Return the memory that a process has of its own, shared memory included, in bytes (Linux; elsewhere 0)."""
    total = 0
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(("RssAnon:", "RssShmem:", "VmSwap:")):
                total += int(line.split()[1]) << 10
    return total


def proportional_bytes(pid: int) -> int:
    """Return the memory that a process has of its own and its share of what it has with others, in bytes (Linux)."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) << 10
    return 0


def address_space() -> int:
    """Return the size of this process's address space in bytes (Linux; elsewhere 0)."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def size_below(folder: str) -> int:
    """Return the bytes that the files in a folder take on disk."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    total += size_below(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total


def remove(folder: str) -> None:
    """Remove a directory with what is in it, whatever modes its owner gave to the directories below."""
    shutil.rmtree(folder, ignore_errors=True)
    if not os.path.lexists(folder):
        return
    with contextlib.suppress(OSError):
        os.chmod(folder, 0o700)
    for above, below, _ in os.walk(folder):
        for name in below:
            path = os.path.join(above, name)
            with contextlib.suppress(OSError):
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.unlink(folder)


def close_others(keep: set[int]) -> None:
    """Close every descriptor from 3 on but these."""
    folder = "/proc/self/fd" if LINUX else "/dev/fd"
    for name in os.listdir(folder):
        fd = int(name)
        if fd > 2 and fd not in keep:
            with contextlib.suppress(OSError):
                os.close(fd)
