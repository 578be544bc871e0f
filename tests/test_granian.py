"""``serve --server granian``: the same server under granian, in one worker process."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys

import graphistry
import pytest
import requests
from test_cli import cli


@contextlib.contextmanager
def serving(*options):
    command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--server", "granian", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), process.communicate(timeout=20)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=30)
        assert (process.returncode, "Traceback" in said) == (0, False), said


def client_of(url, password="pw"):
    client = graphistry.client()
    client.register(api=3, protocol="http", server=url.removeprefix("http://"), username="alice", password=password)
    return client


@pytest.mark.skipif(importlib.util.find_spec("granian") is None, reason="the extra fast is not installed")
class TestWithGranian:
    def test_pygraphistry_uploads_and_runs_and_data_is_kept(self, edges, tmp_path):
        with serving("--data-dir", os.fspath(tmp_path), "--user", "alice:secret") as url:
            client = client_of(url, "secret")
            g = client.bind(source="s", destination="d").edges(edges[["s", "d", "w"]]).upload()
            assert g.python_remote_json("def task(g): return {'n': len(g._edges)}") == {"n": 4}
            assert g._dataset_id in requests.get(f"{url}/_dev/journal", timeout=10).text
            with pytest.raises(Exception, match="credentials"):
                client_of(url, "wrong")
        with serving("--data-dir", os.fspath(tmp_path), "--user", "alice:secret") as url:
            kept = client_of(url, "secret").bind(dataset_id=g._dataset_id)
            assert kept.python_remote_json("def task(g): return {'n': len(g._edges)}") == {"n": 4}

    def test_the_control_side_and_foreign_names_are_as_ever(self):
        with serving() as url:
            login = {"json": {"username": "a", "password": "b"}, "timeout": 10}
            assert requests.post(f"{url}/_dev/faults", json={"operation": "login", "status": 429, "times": 1}).ok
            assert requests.post(f"{url}/api-token-auth/", **login).status_code == 429
            assert requests.post(f"{url}/api-token-auth/", **login).ok
            assert requests.get(f"{url}/healthz", headers={"Host": "evil.example"}, timeout=10).status_code == 403

    def test_tls_is_the_other_ones(self):
        said = cli("serve", "--server", "granian", "--tls", status=1).stderr
        assert b"--tls is the built-in server's" in said

    def test_a_port_that_is_taken_is_said(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            said = cli("serve", "--server", "granian", "--port", taken.getsockname()[1], status=1).stderr
        assert b"Cannot listen on 127.0.0.1" in said
        assert b"Traceback" not in said

    def test_an_address_for_others_needs_users(self):
        said = cli("serve", "--server", "granian", "--host", "0.0.0.0", status=1).stderr
        assert b"--allow-remote" in said


def test_without_granian_the_extra_is_named(tmp_path):
    (tmp_path / "granian.py").write_text("raise ImportError('not here')")
    path = os.pathsep.join(filter(None, [os.fspath(tmp_path), os.environ.get("PYTHONPATH", "")]))
    said = cli("serve", "--server", "granian", status=1, env={**os.environ, "PYTHONPATH": path}).stderr
    assert b"graphistry-core[fast]" in said
