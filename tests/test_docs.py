"""The pages of docs/: Python examples run, commands have the options they are shown with, every error is there."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import ROOT
from test_layers import LAYERS

from graphistry_core import errors
from graphistry_core.cli import main

pytest_plugins = ["pytester"]

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))

TABLES = """
import pandas as pd
payments = pd.DataFrame({"payer": ["ann", "bob"], "payee": ["bob", "cid"], "amount": [5, 2000]})
people = pd.DataFrame({"name": ["ann", "bob", "cid"], "country": ["at", "at", "de"]})
"""
LOCAL_GRAPH = f"""{TABLES}
import graphistry_core as graphistry
graphistry.register(transport="local")
g = graphistry.edges(payments, "payer", "payee")
"""


@dataclass
class Example:
    """One block of a page: what stands before and after it when it runs, and what it prints then."""

    before: str = ""  # only for fragments: what the reader has at this place of the page
    after: str = ""
    prints: list[str] = field(default_factory=list)
    swap: dict[str, str] = field(default_factory=dict)
    as_test: bool = False
    needs: str = ""  # a package that not everybody has


# Every block of every page, in order.
EXAMPLES = {
    "compute.md": [
        # results of expressions are shown, not named
        Example(
            before=TABLES,
            swap={"g.hop(": "near = g.hop(", "g.gfql(": "found = g.gfql("},
            after="""
print(near._nodes["name"].tolist())
print(found._edges["amount"].tolist())
print(found._nodes[["name", "start", "end"]].to_numpy().tolist())
""",
            prints=["['ann', 'bob', 'cid']", "[2000]", "[['bob', True, False], ['cid', False, True]]"],
        )
    ],
    # a scheduler that the reader has started
    "cluster.md": [
        Example(
            before="from distributed import LocalCluster\n"
            "cluster = LocalCluster(n_workers=1, processes=False, threads_per_worker=1, dashboard_address=':0')",
            swap={'scheduler="tcp://127.0.0.1:8786"': "scheduler=cluster.scheduler_address"},
            after="cluster.close()",
            prints=["{'total': 35}"],
            needs="distributed",
        ),
        Example(prints=["{'rows': 3, 'sent': {'ann': 35, 'bob': 2000}}"], needs="dask.dataframe"),
    ],
    "devserver.md": [
        # whichever library is called graphistry
        Example(
            before="import graphistry_core as graphistry",
            after="    print(server.running, bool(graphistry.api_token()))",
            prints=["True True"],
        ),
        Example(after='print(answer.json(), answer.headers["content-type"])', prints=["{'edges': 2} application/json"]),
        # what serve does with the file
        Example(
            before="import pandas as pd\nimport graphistry_core\ndf = pd.DataFrame({'src': ['a'], 'dst': ['b']})",
            after="client = graphistry_core.client()\nclient.register(transport='local')\nprint(seed(client))",
            prints=["None"],
        ),
    ],
    "errors.md": [Example(prints=['result-not-serializable: result["total"] is numpy.int64: wrap it in int().'])],
    "moving.md": [Example(after="print(graphistry.__name__)", prints=["graphistry_core"])],
    "quickstart.md": [
        Example(prints=["{'total': 35}"]),
        Example(
            prints=[
                "    id  degree_in  degree_out  degree",
                "0  ann          0           2       2",
                "1  bob          1           1       2",
                "2  cid          2           0       2",
                "2",
            ],
        ),
        Example(
            after="from pathlib import Path; print(Path('payments.html').stat().st_size > 100_000)", prints=["True"]
        ),
        Example(prints=["{'total': 30}"]),
        Example(as_test=True),
    ],
    "tasks.md": [
        # the reader's own executor
        Example(
            before="from graphistry_core.executors.inprocess import InProcessExecutor as MyExecutor",
            after="print(TestMine().make_executor().name)",
            prints=["inprocess"],
        )
    ],
    # a graph that the reader has
    "viewer.md": [
        Example(
            before=LOCAL_GRAPH,
            swap={"g.plot()": "g.plot(render='url')"},
            after="from pathlib import Path; print('<canvas' in Path('graph.html').read_text())",
            prints=["True"],
        )
    ],
}
# Its blocks are parts of files that run: tests/test_examples.py compares and runs them.
ELSEWHERE = {"testing.md"}


def blocks(page: Path, *languages: str) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [text for language, text in fences if language in (languages or ("python",))]


def test_no_example_is_left_out():
    found = {page.name: len(blocks(page)) for page in PAGES if blocks(page) and page.name not in ELSEWHERE}
    assert found == {name: len(examples) for name, examples in EXAMPLES.items()}


@pytest.mark.parametrize(
    ("name", "index"), [(name, index) for name, examples in EXAMPLES.items() for index in range(len(examples))]
)
def test_the_example_runs(name, index, tmp_path, pytester):
    example, code = EXAMPLES[name][index], blocks(DOCS / name)[index]
    if example.needs:
        pytest.importorskip(example.needs, reason="a package of the example is missing")
    for shown, run in example.swap.items():
        assert shown in code
        code = code.replace(shown, run)
    if example.as_test:
        pytester.makepyfile(code)
        pytester.runpytest_subprocess("-q", "-p", "no:randomly", "-p", "no:xdist").assert_outcomes(passed=1)
        return
    script = tmp_path / "example.py"  # a file, for a task is shipped as its source
    script.write_text(f"{example.before}\n{code}\n{example.after}\n", encoding="utf-8")
    environment = {**os.environ, "HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == example.prints


def commands() -> list[tuple[str, str]]:
    lines = [
        (page.name, line)
        for page in [*PAGES, ROOT / "README.md"]
        for b in blocks(page, "sh", "")
        for line in b.splitlines()
    ]
    return [(name, line) for name, line in lines if re.search(r"(^|&& )\.venv/bin/graphistry-core ", line)]


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_has_the_options_it_is_shown_with(page, line):
    words = shlex.split(line.partition("  #")[0])
    at = next(i for i, word in enumerate(words) if word.endswith("bin/graphistry-core"))
    command = main.commands[words[at + 1]]
    known = {option for parameter in command.params for option in parameter.opts}
    used = words[at + 2 :]
    used = used[: used.index("--")] if "--" in used else used
    assert {word for word in used if word.startswith("--")} <= known


def test_every_error_is_on_its_page_with_its_status():
    rows = re.findall(r"^\| ([\w-]+) \| `(\w+)`[^|]* \| (\d+) \|", (DOCS / "errors.md").read_text(), re.MULTILINE)
    tree = ast.parse(Path(errors.__file__).read_text(encoding="utf-8"))
    classes = [getattr(errors, node.name) for node in tree.body if isinstance(node, ast.ClassDef)]
    assert len(classes) > 30
    assert sorted(rows) == sorted((cls.code, cls.__name__, str(cls.status)) for cls in classes)


def test_the_task_errors_page_agrees():
    rows = re.findall(r"^\| `(\w+)` \| ([\w-]+) \| (\d+) \|", (DOCS / "tasks.md").read_text(), re.MULTILINE)
    classes = [getattr(errors, name) for name, _, _ in rows]
    assert rows == [(cls.__name__, cls.code, str(cls.status)) for cls in classes]
    assert set(classes) == set(errors._subclasses(errors.TaskError)) - {errors.TaskError}


def test_the_layers_are_those_that_hold():
    rows = re.findall(r"^\| \d+ \| (.*?) \|", (DOCS / "architecture.md").read_text(), re.MULTILINE)
    assert [re.findall(r"`(\w+)`", row) for row in rows] == LAYERS


def test_every_page_is_in_the_index():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^- \[.*?\]\((.*?)\)", index, re.MULTILINE)) == [
        page.name for page in PAGES if page.name != "index.md"
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_into_a_page_meet_a_heading(page):
    for target, anchor in re.findall(r"\]\(([\w-]*\.md)?#([^)]+)\)", page.read_text(encoding="utf-8")):
        text = ((DOCS / target) if target else page).read_text(encoding="utf-8")
        headings = [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in re.findall(r"^#+ (.*)", text, re.M)]
        assert anchor in headings
