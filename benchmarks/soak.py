"""Ten thousand tasks over eight connections, one in ten of them bad: ``python benchmarks/soak.py [tasks]``.

Every answer is checked: a good task must give its own result, a bad one the error of its row in the fault table. At the
end no process may be left, and memory (of the server, and of the processes that are forked) must be within 10 % of what
it was after the first tenth.
"""

from __future__ import annotations

import collections
import json
import os
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import requests
from measure import machine

from graphistry_core.executors import Limits, processes
from graphistry_devserver import DevServer

CONNECTIONS = 8
GOOD = "def task(g):\n    return {{'n': {n}, 'sum': int(g._edges['w'].sum())}}"
BAD = {
    "import time\ndef task(g): time.sleep(60)": "task-timeout",
    "def task(g):\n    while True: pass": "task-timeout",
    "import ctypes\ndef task(g): ctypes.string_at(0)": "task-crashed",
    "import os\ndef task(g): os._exit(3)": "task-crashed",
    "import os\ndef task(g): os._exit(0)": "task-crashed",
    "import os\ndef task(g): os.abort()": "task-crashed",
    "import sys\ndef task(g): sys.exit(4)": "task-failed",
    "def task(g): return bytearray(6 << 30)": "task-out-of-memory",
    "import subprocess\ndef task(g):\n    subprocess.Popen(['sleep', '77'], start_new_session=True)\n    return {}": "",
    "import os\ndef task(g):\n    if os.fork() == 0:\n        os.setsid()\n        import time; time.sleep(77)\n    return {}": "",
    "import threading, time\ndef task(g):\n    threading.Thread(target=time.sleep, args=(77,)).start()\n    return {}": "",
    "def task(g): return 'x' * 3_000_000": "result-too-large",
    "def task(g):\n    print('x' * 3_000_000)\n    return {}": "",
    "def task(g): return task(g)": "task-failed",
    "def task(g): return {'v': g._edges['w'].sum()}": "result-not-serializable",
    "def task(g) return": "invalid-task",
    "def task(g): return g._edges['nope']": "task-failed",
    "def task(g):\n    g._edges.loc[:, 'w'] = 0\n    return {}": "",
    "import os\ndef task(g):\n    for fd in range(3, 50):\n        try: os.write(fd, b'x' * 99)\n        except OSError: pass\n"
    "    import time; time.sleep(0.1)\n    return {}": "task-crashed",
    "def task(g):\n    open('f', 'wb').write(bytes(80 << 20))": "task-failed",
}  # fmt: skip


def resident(pid: int) -> int:
    """What a process has in memory, but for files, in KiB."""
    return processes.anonymous_bytes(pid) >> 10


def memory(server: DevServer) -> dict[str, int]:
    """Memory of the server's process, of the root and of the zygotes, in KiB."""
    root = server.hub.executor._root.process.pid
    zygotes = processes.children(root)
    return {"server": resident(os.getpid()), "root": resident(root), "zygotes": sum(map(resident, zygotes))}


class Soak:
    """Counts what was sent and what came back."""

    def __init__(self, url: str, dataset_id: str, token: str, tasks: int) -> None:
        self.url = f"{url}/api/v2/datasets/{dataset_id}/python"
        self.headers = {"Authorization": f"Bearer {token}"}
        self._left, self._lock = tasks, threading.Lock()
        self.answers: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        self.lost: list[str] = []
        self.done = 0

    def connection(self, seed: int) -> None:
        """Send tasks over one connection, one after the other, until all are sent."""
        chance, session = random.Random(seed), requests.Session()
        session.headers.update(self.headers)
        while True:
            with self._lock:
                if self._left <= 0:
                    return
                self._left -= 1
                number = self._left
            bad = chance.random() < 0.1
            source = chance.choice(list(BAD)) if bad else GOOD.format(n=number)
            try:
                answer = session.post(self.url, json={"execute": source}, timeout=60)
                self._check(source, answer, number if not bad else None)
            except requests.RequestException as e:
                self.lost.append(f"{source!r}: {e!r}")
            self.done += 1

    def _check(self, source: str, answer: requests.Response, number: int | None) -> None:
        code = "" if answer.status_code == 200 else answer.json().get("code")
        self.answers[code or "ok"] += 1
        expected = "" if number is not None else BAD[source]
        if code != expected or (number is not None and json.loads(answer.content) != {"n": number, "sum": 4950}):
            self.wrong.append(f"{source!r}: {answer.status_code} {answer.text[:200]}")


def main() -> None:
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(time.strftime("%Y-%m-%d"), machine())
    limits = Limits(timeout_s=1, memory_mb=500, result_mb=1, scratch_mb=50)
    before = set(processes.descendants(os.getpid()))
    with DevServer(executor="isolated", limits=limits) as server:
        token, dataset_id = upload(server.url)
        soak = Soak(server.url, dataset_id, token, tasks)
        started = time.monotonic()
        threads = [threading.Thread(target=soak.connection, args=(seed,)) for seed in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        early: dict[str, int] = {}
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.2)
            if not early and soak.done >= tasks // 10:
                early = memory(server)
        took = time.monotonic() - started
        time.sleep(2)
        late, left = memory(server), sleepers()
        print(f"{tasks} tasks in {took:.0f} s ({tasks / took:.0f}/s): {dict(soak.answers)}")
        print(f"lost answers: {len(soak.lost)}; wrong answers: {len(soak.wrong)}; processes of tasks left: {left}")
        for name, value in late.items():
            print(
                f"memory of {name}: {early[name]} KiB after a tenth, {value} KiB at the end ({value / early[name]:.2f}x)"
            )
        for said in [*soak.lost, *soak.wrong][:10]:
            print(said)
    time.sleep(0.5)
    leaked = set(processes.descendants(os.getpid())) - before
    print(f"processes left after the stop: {len(leaked)}")
    bad = soak.lost or soak.wrong or left or leaked or any(late[name] > 1.1 * early[name] for name in late)
    sys.exit(1 if bad else 0)


def sleepers() -> int:
    """Count processes that only a task of ours starts."""
    found = 0
    for folder in Path("/proc").iterdir():
        try:
            found += folder.name.isdigit() and b"\x0077\x00" in (folder / "cmdline").read_bytes()
        except OSError:
            continue
    return found


def upload(url: str) -> tuple[str, str]:
    token = requests.post(f"{url}/api-token-auth/", json={"username": "u", "password": "p"}, timeout=9).json()["token"]
    headers: dict[str, Any] = {"Authorization": f"Bearer {token}"}
    body = {"edge_encodings": {"bindings": {"source": "s", "destination": "d"}}, "name": "soak"}
    made = requests.post(f"{url}/api/v2/upload/datasets/", json=body, headers=headers, timeout=9).json()
    dataset_id = made["data"]["dataset_id"]
    frame = pd.DataFrame({"s": ["a"] * 100, "d": ["b"] * 100, "w": range(100)})
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    sent = requests.post(
        f"{url}/api/v2/upload/datasets/{dataset_id}/edges/arrow", data=sink.getvalue().to_pybytes(), headers=headers,
        timeout=30,
    )  # fmt: skip
    sent.raise_for_status()
    return token, dataset_id


if __name__ == "__main__":
    main()
