"""What the test fixtures cost, beside moto's decorator and server: ``python benchmarks/harness.py`` (needs moto[server])."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import machine

TESTS = 60
HEAD = "import requests\n"
SUITES = {
    "moto's decorator": """
import boto3
from moto import mock_aws
ENV = dict(region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")

@mock_aws
def test_{n}():
    assert boto3.client("dynamodb", **ENV).list_tables()["TableNames"] == []
""",
    "moto's decorator, without a client": """
from moto import mock_aws

@mock_aws
def test_{n}():
    pass
""",
    "graphistry_mock": """
def test_{n}(graphistry_mock):
    answer = requests.post("https://hub.graphistry.com/api-token-auth/", json={"username": "u", "password": "p"})
    assert answer.json()["token"]
""",
    "graphistry_server": """
def test_{n}(graphistry_server):
    answer = requests.post(f"{graphistry_server.url}/api-token-auth/", json={"username": "u", "password": "p"})
    assert answer.json()["token"]
""",
    "moto's server": """
import pytest
from moto.server import ThreadedMotoServer

@pytest.fixture(scope="session")
def served():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()

def test_{n}(served):
    assert requests.post(f"{served}/moto-api/reset").ok
    assert requests.get(f"{served}/moto-api/").ok
""",
}


def suite(name: str, tests: int, folder: Path) -> Path:
    """Write a suite of so many equal tests."""
    head, _, test = (
        SUITES[name].strip("\n").rpartition("\n\n") if "\n\n" in SUITES[name].strip() else ("", "", SUITES[name])
    )
    path = folder / f"test_{abs(hash((name, tests)))}.py"
    path.write_text(HEAD + head + "\n\n" + "\n\n".join(test.replace("{n}", str(n)) for n in range(tests)))
    return path


def run(path: Path, *options: str) -> float:
    """Seconds that pytest takes."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
        *options,
    ]
    started = time.perf_counter()
    subprocess.run([*command, str(path)], check=True, stdout=subprocess.DEVNULL, cwd=path.parent)
    return time.perf_counter() - started


def main() -> None:
    print(time.strftime("%Y-%m-%d"), machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suites = {each: (suite(each, 1, folder), suite(each, TESTS + 1, folder)) for each in SUITES}
        found: dict[str, list[float]] = {each: [] for each in SUITES}
        for _ in range(5):
            for each, (one, many) in suites.items():
                found[each].append((run(many) - run(one)) / TESTS * 1e3)
        for each, times in found.items():
            print(f"{each}: {statistics.median(times):.1f} ms for a test")
        for each, goal in (("graphistry_mock", 1), ("graphistry_server", 2)):
            for peer in ("moto's decorator", "moto's decorator, without a client"):
                ratio = statistics.median(a / b for a, b in zip(found[each], found[peer], strict=True))
                print(f"{each} / {peer}: {ratio:.2f} (goal <= {goal})")
        plain = folder / "test_plain.py"
        plain.write_text("\n".join(f"def test_{n}(): pass" for n in range(500)))
        with_us, without = [], []
        for _ in range(11):
            with_us.append(run(plain, "--collect-only"))
            without.append(run(plain, "--collect-only", "-p", "no:graphistry"))
        ratio = statistics.median(a / b for a, b in zip(with_us, without, strict=True))
        print(f"collecting a suite that never uses us, with the plugin / without: {ratio:.3f} (goal <= 1.05)")


if __name__ == "__main__":
    main()
