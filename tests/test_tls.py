"""HTTPS: the certificate of the dev server, with and without a client that checks it."""

from __future__ import annotations

import http.client
import os
import re
import select
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time

import graphistry
import pytest
import requests
from api import Api, arrow
from test_cli import cli

from graphistry_core import GraphistryClient
from graphistry_core.errors import ConfigError, MissingDependency
from graphistry_devserver import DevServer, tls


@pytest.fixture(scope="module")
def server():
    with DevServer(tls=True) as made:
        yield made


class Checked(Api):
    """A caller that checks the certificate."""

    def send(self, method, path, token=None, **options):
        bundle = str(self.hub.store.root / "tls" / "certificate.pem")
        return super().send(method, path, token, verify=bundle, **options)


def trusting(server):
    context = ssl.create_default_context(cafile=str(server.certificate))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    return context


class TestCertificate:
    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
    @pytest.mark.parametrize("made_by", ["library", "command"])
    def test_it_is_good_for_every_name_of_this_machine(self, tmp_path, monkeypatch, name, made_by):
        if made_by == "command":
            monkeypatch.setitem(sys.modules, "cryptography", None)
        certificate, key = tls.self_signed(tmp_path)
        server_side, ours = tls.context_of(certificate, key), socket.socketpair()
        ending = threading.Thread(target=lambda: server_side.wrap_socket(ours[0], server_side=True).close())
        ending.start()
        context = ssl.create_default_context(cafile=str(certificate))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        with context.wrap_socket(ours[1], server_hostname=name) as connection:
            assert connection.getpeercert()["subjectAltName"]
        ending.join()

    def test_another_name_is_not_one_of_it(self, server):
        with socket.create_connection(("127.0.0.1", server.port)) as raw, pytest.raises(ssl.SSLCertVerificationError):
            trusting(server).wrap_socket(raw, server_hostname="example.com")

    def test_the_key_is_its_owners_only(self, server):
        key = server.certificate.parent / "key.pem"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600

    def test_without_library_and_command_the_extra_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "cryptography", None)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(MissingDependency, match=r"graphistry-core\[tls\]"), DevServer(tls=True):
            pass

    def test_without_tls_there_is_none(self, graphistry_server):
        with pytest.raises(ConfigError, match="--tls"):
            _ = graphistry_server.certificate


class TestClients:
    def run(self, client, edges):
        g = client.bind(source="s", destination="d").edges(edges[["s", "d", "w"]]).upload()
        return g.python_remote_json("def task(g): return {'n': len(g._edges)}")

    @pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
    def test_pygraphistry_works_without_checking(self, server, edges):
        client = graphistry.client()
        client.register(**server.register_kwargs)
        assert server.register_kwargs["certificate_validation"] is False
        assert self.run(client, edges) == {"n": 4}

    def test_pygraphistry_works_with_the_certificate_as_bundle(self, server, edges, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.certificate))
        client = graphistry.client()
        client.register(**{**server.register_kwargs, "certificate_validation": True})
        assert self.run(client, edges) == {"n": 4}

    def test_pygraphistry_refuses_it_unasked(self, server, monkeypatch):
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        with pytest.raises(Exception, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
            graphistry.client().register(**{**server.register_kwargs, "certificate_validation": True})

    def test_our_client_works_with_the_bundle(self, server, edges, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.certificate))
        client = GraphistryClient().register(**{**server.register_kwargs, "certificate_validation": True})
        assert self.run(client, edges) == {"n": 4}

    def test_links_in_answers_are_https(self, server):
        state = Checked(server).ok("POST", "/api/v2/g/sso/oidc/login/", data={"client-type": "pygraphistry"})
        assert state["data"]["auth_url"].startswith(server.url)


class TestConnections:
    def test_a_connection_is_kept(self, server):
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting(server), timeout=10)
        for _ in range(3):
            connection.request("GET", "/healthz")
            assert connection.getresponse().read()
            used = connection.sock
        assert connection.sock is used
        connection.close()

    def test_large_bodies_come_whole(self, server, edges):
        api = Checked(server)
        import pandas as pd

        many = pd.DataFrame({"s": range(400_000), "d": range(400_000)})
        dataset = api.dataset(many)
        body = api.run(dataset, "def task(g): return g._edges", output_type="table", format="csv").text
        assert body.count("\n") == 400_001

    def test_plain_http_is_told_so(self, server):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"This port speaks HTTPS" in raw.makefile("rb").read()
        assert requests.get(f"{server.url}/healthz", verify=str(server.certificate), timeout=10).ok

    def test_one_that_does_not_shake_hands_keeps_nobody_waiting(self, server):
        with socket.create_connection(("127.0.0.1", server.port)):
            assert requests.get(f"{server.url}/healthz", verify=str(server.certificate), timeout=5).ok

    def test_a_client_that_goes_away_ends_its_task(self, server, edges):
        api = Checked(server)
        dataset = api.dataset(edges)
        body = b'{"execute": "import time\\ndef task(g):\\n    time.sleep(50)"}'
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            connection = trusting(server).wrap_socket(raw, server_hostname="localhost")
            head = f"POST /api/v2/datasets/{dataset}/python HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
            connection.sendall(f"{head}\r\nAuthorization: Bearer {api.token}\r\n\r\n".encode() + body)
            until(server.hub.runs.list)
            connection.close()
        if hasattr(select, "POLLRDHUP"):
            until(lambda: not server.hub.runs.list())

    def test_a_stop_lets_a_request_finish(self):
        server = DevServer(tls=True).start()
        fault = server.dev.faults.add("health", latency_s=0.5)
        context, answers = trusting(server), []

        def ask():
            connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=10)
            connection.request("GET", "/healthz")
            answers.append(connection.getresponse().read())
            connection.close()

        asking = threading.Thread(target=ask)
        asking.start()
        until(lambda: fault.hits)
        server.stop()
        asking.join()
        assert b"OK" in answers[0]


def until(true, seconds=15):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


class TestCommand:
    def test_serve_tls_prints_the_url_and_where_the_certificate_is(self, tmp_path):
        command = [sys.executable, "-m", "graphistry_core.cli", "serve", "--tls", "--port", "0", "--data-dir", tmp_path]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            url = process.stdout.readline().strip()
            path = tmp_path / "tls" / "certificate.pem"
            try:
                assert url.startswith("https://127.0.0.1:")
                assert requests.get(f"{url}/healthz", verify=str(path), timeout=10).ok
            finally:
                process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=20)[1]
        assert re.search(f"REQUESTS_CA_BUNDLE={re.escape(os.fspath(path))}", said)
        assert process.returncode == 0

    def test_help_has_it(self):
        assert b"--tls" in cli("serve", "--help").stdout


def test_uploads_over_tls_are_streamed(server, edges):
    api = Checked(server)
    file_id = api.ok("POST", "/api/v2/files/", json={"file_type": "arrow"})["file_id"]
    sent = iter([arrow(edges)])  # of unknown length: chunked
    assert api.ok("POST", f"/api/v2/upload/files/{file_id}", data=sent)["is_valid"]
