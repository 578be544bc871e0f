"""Processes that are ready to be forked: a root with the libraries, below it a zygote for each dataset (Linux).

``main`` is the root. It imports pandas once, and starts no thread. A zygote is a
fork of it that maps a dataset's tables and makes its frames; a worker is a fork of that, for one task, with a
supervisor between. Each has a socket to the server, and ends when that is closed and its own children are done.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from . import sandbox, worker
from .channel import BrokenChannel, Message, receive
from .contract import GraphData
from .supervisor import supervise

Fence = Callable[[str], None] | None  # what a worker with this scratch directory enters before it takes a task


def main() -> None:
    """Be the root: fork a zygote for each dataset that is sent."""
    control = socket.socket(fileno=int(sys.argv[1]))
    hello = receive(control)
    if hello is None:
        return
    sys.path[:] = hello.header["path"]
    worker.prepare_libraries(hello.header["preload"])
    worker.freeze()
    fence: Fence = None
    if hello.header["sandbox"]:
        namespaces = hello.header["namespaces"]
        fence = lambda scratch: sandbox.enter(scratch, namespaces=namespaces)  # noqa: E731
    _fork_for_each(control, lambda order: _zygote(order, control, fence))


def _fork_for_each(control: socket.socket, child: Callable[[Message], None]) -> None:
    """Fork for each message, and bury who ended; return when the other end is closed and all children are done."""
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    running: set[int] = set()
    listening = True
    while listening or running:
        ready = {fd for fd, _ in poll.poll()}
        with contextlib.suppress(BlockingIOError):
            wake.recv(4096)
        for pid in list(running):
            if os.waitpid(pid, os.WNOHANG)[0]:
                running.discard(pid)
        if control.fileno() not in ready:
            continue
        try:
            order = receive(control)
        except BrokenChannel:
            order = None
        if order is None:
            listening = False
            poll.unregister(control)
            continue
        pid = os.fork()
        if pid == 0:
            _never_return(child, order)
        running.add(pid)
        for fd in order.fds:
            os.close(fd)


def _never_return(child: Callable[[Message], None], order: Message) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child(order)
    except BaseException:  # noqa: BLE001 - whatever it is, this process must not go on as its parent
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _zygote(order: Message, root: socket.socket, fence: Fence) -> None:
    os.close(root.detach())
    control = socket.socket(fileno=order.fds[0])
    tables = dict(zip(order.header["tables"], order.fds[1:], strict=True))
    graph = replace(worker.graph_of(order.header, tables), for_one_task=True)
    plottable = order.header["plottable"]
    worker.rehearse(graph, plottable, "/")  # builds the frames that every task's are a shallow copy of
    worker.freeze()
    _fork_for_each(control, lambda job: _runner(job, control, graph, plottable, fence))
    os._exit(0)


def _runner(job: Message, zygote: socket.socket, graph: GraphData, plottable: str, fence: Fence) -> None:
    parent = os.getppid()
    os.close(zygote.detach())
    control = socket.socket(fileno=job.fds[0])

    def work(jobs: socket.socket, output: int, scratch: str) -> None:
        worker.settle(jobs, output)
        if fence is not None:
            fence(scratch)
        if not select.select([jobs], [], [], 0)[0]:
            worker.rehearse(graph, plottable, "/")
        message = worker.take_job(jobs)
        if message is not None:
            worker.do_job(jobs, message, graph, scratch)

    supervise(control, work, lasting=False, parent=parent)
