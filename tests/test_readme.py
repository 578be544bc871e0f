"""What the README says is what happens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [match.strip() for match in re.findall(r"```sh\n(.*?)```", README, re.S)]
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.S)


def test_ci_runs_the_second_command_and_nothing_else():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    done = [
        line
        for line in script
        if line
        and not line.startswith(("#", "set ", "cd ", "apt-get ", "command -v ", "export GRAPHISTRY_CORE_BROWSER"))
    ]
    assert done == [COMMANDS[1]]


def test_the_first_command_runs_the_main_job():
    command = COMMANDS[0].rpartition("&& ")[2]
    arguments = command.split()
    assert arguments[0].endswith("graphistry-core")
    ran = subprocess.run(
        [sys.executable, "-m", "graphistry_core.cli", *arguments[1:]],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(ran.stdout)["edges"] == 254


def test_the_pytest_example_passes(pytester):
    if find_spec("graphistry") is None:  # not imported here: pytester takes back every import made while it is in use
        pytest.skip("PyGraphistry is not installed")
    pytester.makepyfile(EXAMPLES[0])
    pytester.runpytest_subprocess("-q", "-p", "no:randomly", "-p", "no:xdist").assert_outcomes(passed=1)
    assert len([line for line in EXAMPLES[0].splitlines() if line.strip()]) <= 10


def test_the_in_process_example_prints_both_totals(tmp_path):
    script = tmp_path / "example.py"
    script.write_text(EXAMPLES[1], encoding="utf-8")
    environment = {**os.environ, "HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    assert ran.stdout.splitlines() == ["{'total': 30}"] * 2
    assert ran.stderr == ""


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"])
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target


pytest_plugins = ["pytester"]


def test_the_picture_is_one_file(tmp_path):
    example = next(example for example in EXAMPLES if "to_html" in example)
    where = tmp_path / "lesmiserables.html"
    script = example.replace("graphistry_core/data/", f"{ROOT}/graphistry_core/data/").replace(
        "lesmiserables.html", str(where)
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, cwd=tmp_path)
    assert '"edges": 254' in where.read_text(encoding="utf-8")
