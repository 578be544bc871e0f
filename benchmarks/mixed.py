"""32 users of two organizations at once, for a minute: uploads, tasks, sharing, foreign ids, deletes.

``python benchmarks/mixed.py [seconds]``. What each of them does is what tests/test_hostile.py has them do once; any answer
that the protocol does not have, or anything of the other organization's, ends it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measure import machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import test_hostile as users

from graphistry_core.executors import processes
from graphistry_devserver import DevServer


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    print(time.strftime("%Y-%m-%d"), machine())
    with DevServer() as server:
        server.warm()
    threads, files, children = threading.active_count(), users.open_files(), set(processes.descendants(os.getpid()))
    rounds, requests, end = 0, 0, time.monotonic() + seconds
    while time.monotonic() < end:
        users.SEEN.clear()
        with DevServer() as server, ThreadPoolExecutor(32) as pool:
            statuses = set().union(*pool.map(lambda n, server=server: users.one_users_work(server, n), range(32)))
            requests += server.dev.journal.last.number
        assert statuses == {200, 404}, statuses
        rounds += 1
    time.sleep(1)
    left = set(processes.descendants(os.getpid())) - children
    print(f"{rounds} rounds of 32 users, {requests} requests: only 200, and 404 for what is not theirs")
    print(
        f"threads {threads} before, {threading.active_count()} after; descriptors {files} before, "
        f"{users.open_files()} after; processes left: {len(left)}"
    )
    sys.exit(1 if left or threading.active_count() > threads or users.open_files() > files + 4 else 0)


if __name__ == "__main__":
    main()
