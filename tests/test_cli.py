"""The command line as a user types it: real processes, stdout and stderr apart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
import requests
from conftest import ROOT

from graphistry_core import GraphistryClient
from graphistry_core.errors import TaskFailed

TOP = str(ROOT / "examples" / "top_nodes.py")
GRAPH = str(ROOT / "graphistry_core" / "data" / "lesmiserables.csv")


def cli(*arguments, status=0, **options):
    command = [sys.executable, "-m", "graphistry_core.cli", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, timeout=60, check=False, **options)
    assert ran.returncode == status, ran.stderr.decode()
    return ran


@pytest.fixture
def task(tmp_path):
    def write(source):
        path = tmp_path / "task.py"
        path.write_text(source)
        return path

    return write


class TestRun:
    def test_the_result_is_on_stdout_and_the_guess_on_stderr(self):
        ran = cli("run", TOP, "--edges", GRAPH)
        assert json.loads(ran.stdout)["top"][0] == {"node": "Valjean", "degree": 36}
        assert b"Guessed --source source --destination target" in ran.stderr

    @pytest.mark.parametrize(
        ("name", "edges", "top"),
        [
            ("facebook_combined.txt", 88_234, {"node": "107", "degree": 1045}),
            ("honeypot.csv", 220, {"node": "172.31.14.66", "degree": 198}),
            ("lesmiserables.csv", 254, {"node": "Valjean", "degree": 36}),
        ],
    )
    def test_real_data_gives_what_plain_python_counts(self, shared_data, name, edges, top):
        out = json.loads(cli("run", TOP, "--edges", shared_data / name).stdout)
        assert (out["edges"], out["top"][0]) == (edges, top)
        text = (shared_data / name).read_text().replace("\r", "\n").split("\n")
        rows = [line.replace(",", " ", 1).split(" " if name.endswith("txt") else ",")[:2] for line in text if line]
        if name.endswith("txt"):
            ends = [end for row in rows for end in row]
            assert len({*ends}) == out["nodes"]
            assert ends.count(top["node"]) == top["degree"]

    def test_what_the_task_and_its_children_print_is_on_stderr(self, task):
        source = """
import os, sys, threading
def task(g):
    print("printed")
    sys.stdout.buffer.write(b"bytes\\n")
    threading.Thread(target=print, args=("thread",)).start()
    os.system("echo child")
    return {"edges": len(g._edges)}
"""
        ran = cli("run", task(source), "--edges", GRAPH)
        assert json.loads(ran.stdout) == {"edges": 254}
        for word in (b"printed", b"bytes", b"thread", b"child"):
            assert word in ran.stderr

    def test_a_failing_task_exits_1_with_line_and_traceback(self, task):
        ran = cli("run", task("def task(g):\n    return g._edges['amount']"), "--edges", GRAPH, status=1)
        assert ran.stdout == b""
        assert b"line 2, in task" in ran.stderr
        assert b"error: KeyError: 'amount' (line 2: return g._edges['amount'])" in ran.stderr
        assert b"graphistry_core" not in ran.stderr

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["gone.py", "--edges", GRAPH], b"task file gone.py cannot be read"),
            ([TOP, "--edges", "gone.csv"], b"gone.csv cannot be read"),
            ([TOP, "--edges", GRAPH, "--source", "nope"], b"no column 'nope'"),
            ([TOP, "--edges", GRAPH, "--timeout", "1", "--executor", "inprocess"], b"process of its own"),
            ([TOP, "--edges", GRAPH, "--executor", "nope"], b"executor='nope' is unknown"),
            ([TOP, "--edges", GRAPH, "--out", "/nope/x"], b"cannot be written"),
        ],
    )
    def test_what_is_wrong_is_one_sentence(self, arguments, sentence):
        ran = cli("run", *arguments, status=1)
        assert sentence in ran.stderr
        assert b"Traceback" not in ran.stderr

    def test_other_formats_and_a_node_table(self, task, tmp_path):
        (tmp_path / "nodes.csv").write_text("id,group\nValjean,2\nJaver,4\n")
        nodes = ["--nodes", tmp_path / "nodes.csv"]
        source = task("def task(g):\n    return g")
        ran = cli("run", source, "--edges", GRAPH, *nodes, "--output-type", "nodes", "--format", "csv")
        assert ran.stdout == b"id,group\nValjean,2\nJaver,4\n"
        assert b"Guessed --node id" in ran.stderr
        out = tmp_path / "edges.parquet"
        cli("run", source, "--edges", GRAPH, "--output-type", "edges", "--format", "parquet", "--out", out)
        assert len(pd.read_parquet(out)) == 254

    def test_pygraphistrys_plottable(self, task):
        pytest.importorskip("graphistry")
        source = task("def task(g):\n    return {'nodes': len(g.materialize_nodes()._nodes)}")
        assert json.loads(cli("run", source, "--edges", GRAPH, "--plottable", "pygraphistry").stdout) == {"nodes": 77}


class Serving:
    def __init__(self, *arguments, env=None):
        command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--port", "0", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
        )

    def __enter__(self):
        self.url = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *error):
        self.process.send_signal(signal.SIGTERM)
        self.out, self.err = self.process.communicate(timeout=20)


class TestServe:
    def test_the_first_line_is_the_url_and_sigterm_ends_it_well(self, edges):
        with Serving() as served:
            client = GraphistryClient().register(
                username="u", password="p", server=served.url.removeprefix("http://"), protocol="http"
            )
            g = client.edges(edges, "s", "d").upload()
            assert g.python_remote_json("def task(g): return {'n': len(g._edges)}") == {"n": 4}
        assert served.process.returncode == 0
        assert served.out == ""
        assert "runs any code" in served.err
        assert "Any user name and password" in served.err
        assert "Traceback" not in served.err

    def test_users_and_data_directory(self, tmp_path):
        arguments = ["--user", "ann:secret", "--data-dir", tmp_path / "data"]
        login = {"username": "ann", "password": "secret"}
        with Serving() as served:
            pass
        with Serving(*arguments) as served:
            assert (
                requests.post(f"{served.url}/api-token-auth/", json={**login, "password": "x"}, timeout=9).status_code
                == 400
            )
            token = requests.post(f"{served.url}/api-token-auth/", json=login, timeout=9).json()["token"]
        with Serving(*arguments) as served:
            assert requests.post(f"{served.url}/api-token-verify/", json={"token": token}, timeout=9).status_code == 200
        with Serving("--user", "ann:changed", "--data-dir", tmp_path / "data") as served:
            assert requests.post(f"{served.url}/api-token-verify/", json={"token": token}, timeout=9).status_code == 401
        assert "Only the users named" in served.err
        assert "secret" not in served.err

    def test_a_token_of_an_open_server_is_worth_nothing_once_users_are_named(self, tmp_path):
        with Serving("--data-dir", tmp_path) as served:
            login = {"username": "ann", "password": "whatever"}
            token = requests.post(f"{served.url}/api-token-auth/", json=login, timeout=9).json()["token"]
        with Serving("--data-dir", tmp_path, "--user", "ann:secret") as served:
            headers = {"Authorization": f"Bearer {token}"}
            assert requests.get(f"{served.url}/api/v2/datasets/", headers=headers, timeout=9).status_code == 401

    def test_a_log_in_json_has_every_request_and_task_and_no_secret(self, edges):
        with Serving("--log", "json", "--user", "ann:hushhush") as served:
            client = GraphistryClient().register(
                username="ann", password="hushhush", server=served.url.removeprefix("http://"), protocol="http"
            )
            g = client.edges(edges, "s", "d").upload()
            g.python_remote_json("def task(g): return {'n': len(g._edges)}")
            with pytest.raises(TaskFailed):
                g.python_remote_json("def task(g): return 1 / 0")
            requests.get(f"{served.url}/sso/thestate/?single_use=asecret", timeout=9)
            token = client.api_token()
        lines = [json.loads(line) for line in served.err.splitlines()]
        asked = [line for line in lines if line.get("event") == "request" and line["operation"] != "refresh"]
        assert [line["operation"] for line in asked][-3:] == ["python", "python", "sso_page"]
        good, bad = [line for line in lines if line.get("event") == "task"]
        assert (good["outcome"], bad["outcome"]) == ("ok", "task-failed")
        assert good["user"] == "ann"
        assert good["dataset_id"] == g._dataset_id
        assert [line["run_id"] for line in asked if "run_id" in line] == [good["run_id"], bad["run_id"]]
        assert [line["status"] for line in asked][-3:] == [200, 400, 404]
        assert any("runs any code" in line["message"] for line in lines)
        for secret in ("hushhush", token, "thestate", "asecret"):
            assert secret not in served.err

    def test_nobody_forges_a_line_of_a_log(self):
        with Serving("--log", "text") as served:
            login = {"username": "eve\n2026-01-01T00:00:00.000Z info    forged", "password": "x"}
            requests.post(f"{served.url}/api-token-auth/", json=login, timeout=9)
        (line,) = [line for line in served.err.splitlines() if "forged" in line]
        assert "POST /api-token-auth/" in line
        assert "\\n2026" in line

    def test_by_default_a_log_has_problems_only(self):
        with Serving() as served:
            requests.get(f"{served.url}/api/v2/nothing/", timeout=9)
        assert "nothing" not in served.err

    def test_an_address_that_others_can_reach_is_refused(self):
        ran = cli("serve", "--host", "0.0.0.0", "--port", "0", status=1)
        assert b"--allow-remote" in ran.stderr

    def test_a_taken_port_is_one_sentence(self, graphistry_server):
        ran = cli("serve", "--port", graphistry_server.port, status=1)
        assert b"error: Cannot listen on 127.0.0.1" in ran.stderr

    def test_a_configuration_file_and_what_overrides_it(self, tmp_path):
        config = tmp_path / "server.toml"
        config.write_text(f"""
[server]
data_dir = "{tmp_path / "data"}"
[users.ann]
password = "secret"
""")
        login = {"username": "ann", "password": "secret"}
        with Serving("--config", config) as served:
            assert requests.post(f"{served.url}/api-token-auth/", json=login, timeout=9).status_code == 200
            assert (
                requests.post(f"{served.url}/api-token-auth/", json={**login, "username": "x"}, timeout=9).status_code
                == 400
            )
        assert str(tmp_path / "data") in served.err
        with Serving("--config", config, "--data-dir", tmp_path / "other") as served:
            pass
        assert str(tmp_path / "other") in served.err
        with Serving(
            env={"GRAPHISTRY_DEVSERVER_USER": "bob:pw", "GRAPHISTRY_DEVSERVER_DATA_DIR": str(tmp_path / "env")}
        ) as served:
            assert requests.post(f"{served.url}/api-token-auth/", json=login, timeout=9).status_code == 400
        assert str(tmp_path / "env") in served.err

    def test_any_option_may_stand_in_the_file_and_is_checked_there(self, tmp_path):
        (tmp_path / "calls.csv").write_text("a,b\n1,2\n")
        config = tmp_path / "server.toml"
        config.write_text(f'[server]\nlog = "json"\nseed = ["{tmp_path / "calls.csv"}"]\npreload = ["colorsys"]\n')
        with Serving("--config", config) as served:
            pass
        assert any("calls.csv" in json.loads(line)["message"] for line in served.err.splitlines())
        for wrong in ('log = "loud"', "port = 99999", "task_timeout = 0"):
            config.write_text(f"[server]\n{wrong}\n")
            command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--config", config]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            assert ran.returncode == 1
            assert ran.stderr.startswith(f"error: {config}: server.{wrong.split()[0]}: ")

    @pytest.mark.parametrize(
        ("variable", "value", "named"),
        [
            ("PORT", "many", b"GRAPHISTRY_DEVSERVER_PORT"),
            ("USER", "nobody", b"GRAPHISTRY_DEVSERVER_USER"),
            ("MAX_UPLOAD_MB", "-1", b"GRAPHISTRY_DEVSERVER_MAX_UPLOAD_MB"),
            ("EXECUTOR", "nope", b"executor='nope' is unknown"),
            ("CONFIG", "gone.toml", b"gone.toml cannot be read"),
        ],
    )
    def test_bad_settings_refuse_to_start_and_are_named(self, variable, value, named):
        environment = {**os.environ, f"GRAPHISTRY_DEVSERVER_{variable}": value}
        command = [
            sys.executable,
            "-m",
            "graphistry_core.cli",
            "serve",
            *(() if variable == "PORT" else ("--port", "0")),
        ]
        ran = subprocess.run(command, capture_output=True, timeout=60, check=False, env=environment)
        assert ran.returncode in (1, 2)
        assert named in ran.stderr
        assert b"Traceback" not in ran.stderr


class TestExec:
    def test_an_unchanged_script_finds_its_server(self):
        pytest.importorskip("graphistry")
        script = """
import graphistry, pandas as pd
graphistry.register(api=3)
g = graphistry.edges(pd.DataFrame({'s': [1], 'd': [2]}), 's', 'd').upload()
print(g.python_remote_json('def task(g): return {"n": len(g._edges)}'))
"""
        ran = cli("exec", "--", sys.executable, "-W", "ignore", "-c", script)
        assert ran.stdout.decode().strip() == "{'n': 1}"

    def test_the_commands_exit_code_is_its_own(self):
        cli("exec", "--", sys.executable, "-c", "raise SystemExit(7)", status=7)
        cli("exec", "--", "/nope/nothing", status=127)
        ran = cli(
            "exec",
            "--user",
            "ann:pw",
            "--",
            sys.executable,
            "-c",
            "import os; print(os.environ['GRAPHISTRY_USERNAME'])",
        )
        assert ran.stdout.decode().strip() == "ann"


def test_demo_once_prints_the_json_and_the_viewer_url():
    lines = cli("demo", "--once").stdout.decode().splitlines()
    assert json.loads(lines[0]) == {"edges": 254, "nodes": 77, "top": {"Valjean": 36, "Gavroche": 22, "Marius": 19}}
    assert lines[1].startswith("http://127.0.0.1:")
    assert "/graph/graph.html?dataset=" in lines[1]


def test_doctor_says_what_works_and_why_not():
    out = cli("doctor").stdout.decode()
    assert "pandas" in out
    assert "Engines" in out
    if "not usable" in out:
        assert 'pip install "graphistry-core[cudf-cu12]"' in out or "driver" in out or "GPU" in out
    assert "temporary directory" in out


def test_doctor_names_a_version_conflict_and_its_fix(monkeypatch):
    from graphistry_core import engines

    class Distribution:
        requires = ("pandas<2,>=1", "numpy", "nothing-like-this; extra == 'x'", "gone-missing>=1")

    monkeypatch.setattr(engines, "distribution", lambda name: Distribution)
    rows = engines.conflicts("cudf-cu12")
    assert [row[0] for row in rows] == ["cudf-cu12"] * 2
    assert rows[0][1].endswith('pip install "pandas<2,>=1"')
    assert "it is missing" in rows[1][1]


def test_version_and_help():
    assert b"graphistry-core, version" in cli("--version").stdout
    for command in ("run", "serve", "demo", "exec", "export", "import", "doctor"):
        assert b"Usage" in cli(command, "--help").stdout
