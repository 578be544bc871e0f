"""What other people's test suites get: fixtures, options, markers, the mock in all its forms, faults, assertions."""

from __future__ import annotations

import asyncio
import importlib.util
import unittest

import pandas as pd
import pytest
import requests
from api import Api

import graphistry_core
from graphistry_core import errors
from graphistry_core.dev.faults import PRESETS
from pytest_graphistry import GraphistryMock, mock_graphistry
from pytest_graphistry.graphs import small

pytest_plugins = ["pytester"]
EDGES = pd.DataFrame({"src": ["a", "b"], "dst": ["b", "c"]})
MADE_AT_IMPORT = graphistry_core.GraphistryClient()


def login(host="hub.graphistry.com"):
    return requests.post(
        f"https://{host}/api-token-auth/", json={"username": "u", "password": "p"}, timeout=9
    ).status_code


class TestMockGraphistry:
    def test_plain_decorator(self):
        @mock_graphistry
        def run(x):
            return x, login()

        assert run(1) == (1, 200)
        assert run.__name__ == "run"

    def test_with_arguments(self):
        @mock_graphistry(hosts=["graphs.example"])
        def run():
            return login("graphs.example")

        assert run() == 200

    def test_coroutine_functions(self):
        @mock_graphistry
        async def run():
            await asyncio.sleep(0)
            return login()

        assert asyncio.run(run()) == 200

    def test_classes_have_a_fresh_one_for_each_test(self):
        counts = []

        @mock_graphistry()
        class Case(unittest.TestCase):
            def test_one(self):
                counts.append(self._upload())

            def test_two(self):
                counts.append(self._upload())

            def _upload(self):
                client = graphistry_core.GraphistryClient().register(api=3, username="u", password="p")
                client.edges(EDGES, "src", "dst").upload()
                return len(client._call(graphistry_core.wire.DatasetList()).results)

        result = unittest.defaultTestLoader.loadTestsFromTestCase(Case)
        outcome = unittest.TestResult()
        result.run(outcome)
        assert not outcome.errors
        assert not outcome.failures
        assert counts == [1, 1]

    def test_with_block_and_a_client_made_before_it(self):
        with mock_graphistry() as mock:
            MADE_AT_IMPORT.register(api=3, username="u", password="p")
            g = MADE_AT_IMPORT.edges(EDGES, "src", "dst").upload()
            assert g._dataset_id
            mock.dev.journal.assert_called("login", times=1)

    def test_a_signature_is_kept_so_that_fixtures_work(self, pytester):
        pytester.makepyfile(
            """
            from pytest_graphistry import mock_graphistry
            import requests

            @mock_graphistry
            def test_it(tmp_path):
                assert tmp_path.exists()
                assert requests.get("https://hub.graphistry.com/healthz").ok
            """
        )
        pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1)

    def test_a_decorated_test_cannot_reach_another_graphistry(self):
        @mock_graphistry
        def run():
            login("other.graphistry.example")

        with pytest.raises(requests.ConnectionError, match=r"other\.graphistry\.example was stopped"):
            run()


class TestFaults:
    @pytest.fixture(params=["graphistry_server", "graphistry_mock"])
    def served(self, request):
        return request.getfixturevalue(request.param)

    def ask(self, served):
        known = served.register_kwargs
        url = f"{known['protocol']}://{known['server']}/api-token-auth/"
        return requests.post(url, json={"username": "u", "password": "p"}, timeout=9)

    def test_fail_times_and_retry_after(self, served):
        served.dev.faults.fail("login", status=429, times=2, retry_after=1)
        first, second, third = (self.ask(served) for _ in range(3))
        assert [first.status_code, second.status_code, third.status_code] == [429, 429, 200]
        assert first.headers["Retry-After"] == "1"

    def test_drop_truncate_and_garbage(self, served):
        served.dev.faults.drop("login", times=1)
        served.dev.faults.truncate("login", times=1)
        served.dev.faults.garbage_json("login", times=1)
        with pytest.raises(requests.ConnectionError):
            self.ask(served)
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            self.ask(served)
        garbage = self.ask(served)
        assert garbage.status_code == 200
        assert garbage.headers["Content-Type"].startswith("application/json")
        with pytest.raises(ValueError, match=r"line 1 column"):
            garbage.json()
        assert self.ask(served).status_code == 200

    def test_latency(self, served):
        served.dev.faults.latency("login", seconds=0.3, times=1)
        assert self.ask(served).status_code == 200
        assert served.dev.journal.last.duration_s >= 0.3

    @pytest.mark.parametrize("name", sorted(PRESETS))
    def test_presets_are_named_and_pass_by_or_say_what_is_wrong(self, graphistry_server, name):
        faults = graphistry_server.dev.faults.preset(name)
        client = graphistry_core.GraphistryClient()
        outcomes = []
        for _ in range(5):
            try:
                client.register(**graphistry_server.register_kwargs, transport="http")
                g = client.edges(EDGES, "src", "dst").upload()
                outcomes.append(g.python_remote_json("def task(g): return {'n': len(g._edges)}"))
            except errors.GraphistryError as e:
                outcomes.append(type(e).__name__)
        assert any(fault.hits for fault in faults)
        if name != "endpoint_switched_off":
            assert outcomes[-1] == {"n": 2}
        else:
            assert set(outcomes) == {"AccessDenied"}

    def test_an_unknown_preset_names_the_others(self, graphistry_server):
        with pytest.raises(errors.BadRequest, match="rate_limit"):
            graphistry_server.dev.faults.preset("bad_weather")


class TestAssertions:
    def test_json_fields_and_times(self, graphistry_server):
        api = Api(graphistry_server)
        for name in ("one", "two"):
            api.ok("POST", "/api/v2/files/", json={"file_type": "csv", "name": name})
        journal = graphistry_server.dev.journal
        (entry,) = journal.assert_called("file_create", times=1, json={"name": "two"})
        assert entry.status == 200
        journal.assert_called("file_create", times=2, user="alice")
        journal.assert_not_called("python")
        with pytest.raises(AssertionError, match=r"(?s)file_create .*'three'.* found it 0 times.*\n.*\"two\""):
            journal.assert_called("file_create", json={"name": "three"})

    def test_secrets_are_not_in_the_bodies_that_are_kept(self, graphistry_server):
        url = f"{graphistry_server.url}/api-token-auth/"
        requests.post(url, json={"username": "u", "password": "hunter22", "more": ["hunter22"]}, timeout=9)
        entry = graphistry_server.dev.journal.last
        assert entry.body["json"]["username"] == "u"
        assert "hunter22" not in str(entry.to_dict())

    def test_a_failed_test_shows_the_tasks_output_and_traceback(self, pytester):
        pytester.makepyfile(
            """
            import pandas as pd

            def test_it(graphistry_server, graphistry_dataset):
                import graphistry_core as graphistry
                client = graphistry.GraphistryClient().register(**graphistry_server.register_kwargs, transport="http")
                g = client.edges(pd.DataFrame({"s": ["a"], "d": ["b"]}), "s", "d").upload()
                g.python_remote_json("def task(g):\\n    print('said by the task')\\n    return g._edges['nope'].sum()")
            """
        )
        result = pytester.runpytest_subprocess("-p", "no:randomly")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            ["*Graphistry: what went wrong*", "*python by graphistry*KeyError*", "*said by the task*"]
        )

    def test_strict_failures_come_at_teardown_also_when_the_test_failed(self, pytester):
        pytester.makepyfile(
            """
            import pytest, requests

            def ask(server):
                requests.get(f"{server.url}/api/v9/unheard/of/", timeout=9)

            @pytest.mark.graphistry_strict
            def test_marked(graphistry_server):
                ask(graphistry_server)
                assert False

            def test_by_option(graphistry_server):
                ask(graphistry_server)
            """
        )
        pytester.runpytest_subprocess("-p", "no:randomly").assert_outcomes(failed=1, passed=1, errors=1)
        pytester.runpytest_subprocess("-p", "no:randomly", "--graphistry-strict").assert_outcomes(
            failed=1, passed=1, errors=2
        )


class TestPlugin:
    @pytest.mark.graphistry_transports("local", "mock", "http")
    def test_a_client_over_each_transport(self, graphistry_client, graphistry_dataset):
        g = graphistry_dataset(EDGES, privacy="private")
        assert g.python_remote_json("def task(g): return {'n': len(g._edges)}") == {"n": 2}
        assert graphistry_client.from_dataset_id(g._dataset_id)._dataset_id == g._dataset_id

    def test_a_task_by_the_rules_of_a_deployed_one(self, graphistry_task):
        threshold = 3

        def closes_over(g):
            return {"n": int((g._edges["amount"] > threshold).sum())}

        with pytest.raises(errors.InvalidTask, match="threshold"):
            graphistry_task(closes_over)
        assert graphistry_task("def task(g): return {'n': int((g._edges['amount'] > 3).sum())}") == {"n": 3}
        assert graphistry_task("def task(g): return [g._source, g._destination]", edges=EDGES) == ["src", "dst"]

    def test_the_graph_is_always_the_same(self, graphistry_graph):
        assert graphistry_graph._edges.equals(small())
        assert graphistry_graph._node == "id"

    def test_the_hub_has_nothing_in_it(self, graphistry_hub):
        token = graphistry_hub.call(graphistry_core.wire.Login("u", "p"), graphistry_core.wire.Auth()).token
        auth = graphistry_core.wire.Auth("bearer", token=token)
        assert graphistry_hub.call(graphistry_core.wire.DatasetList(), auth).results == ()

    def test_engines_by_option(self, pytester):
        pytester.makepyfile("def test_it(graphistry_engine): assert graphistry_engine in ('pandas', 'cudf')")
        args = ("-p", "no:randomly", "--graphistry-engine=pandas,cudf", "-rs")
        result = pytester.runpytest_subprocess(*args)
        if importlib.util.find_spec("cudf") is None:
            result.assert_outcomes(passed=1, skipped=1)
            result.stdout.fnmatch_lines(["*SKIPPED*cudf*"])

    def test_markers_and_options_are_documented(self, pytester):
        pytester.runpytest_subprocess("--markers").stdout.fnmatch_lines(
            ["*graphistry_strict:*", "*graphistry_transports(*"]
        )
        pytester.runpytest_subprocess("--help").stdout.fnmatch_lines(["*--graphistry-engine*", "*--graphistry-strict*"])

    def test_the_network_can_be_blocked(self, pytester):
        pytester.makepyfile(
            """
            import socket, pytest, requests

            def test_other_machines():
                with pytest.raises(OSError, match="example.com was stopped"):
                    socket.create_connection(("example.com", 80), timeout=3)
                with pytest.raises(OSError, match="192.0.2.1 was stopped"):
                    socket.create_connection(("192.0.2.1", 80), timeout=3)

            def test_this_one(graphistry_server):
                assert requests.get(f"{graphistry_server.url}/healthz", timeout=9).ok
            """
        )
        args = ("-p", "no:randomly", "--graphistry-block-network")
        pytester.runpytest_subprocess(*args).assert_outcomes(passed=2)

    def test_a_suite_that_never_uses_it_loads_nothing(self, pytester):
        pytester.makepyfile(
            "import sys\ndef test_it():\n"
            "    heavy = {'pandas', 'pyarrow', 'flask', 'responses', 'requests', 'graphistry_core'}\n"
            "    assert not heavy & set(sys.modules)"
        )
        pytester.runpytest_subprocess("-p", "no:randomly", "-p", "no:hypothesispytest").assert_outcomes(passed=1)

    def test_httpx_and_the_wsgi_application(self, graphistry_wsgi):
        httpx = pytest.importorskip("httpx")
        with httpx.Client(transport=httpx.WSGITransport(app=graphistry_wsgi), base_url="http://localhost") as client:
            assert client.post("/api-token-auth/", json={"username": "u", "password": "p"}).status_code == 200


def test_time_and_tokens_on_both_forms(graphistry_server):
    with GraphistryMock() as mock:
        for served in (mock, graphistry_server):
            client = graphistry_core.GraphistryClient().register(**served.register_kwargs, transport="http")
            token = client.api_token()
            assert client.verify_token(token)
            served.dev.clock.advance(hours=2)
            assert not client.verify_token(token)
            served.dev.clock.reset()
            served.dev.tokens.expire("graphistry")
            assert not client.verify_token(token)
