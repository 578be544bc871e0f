"""The control side for tests: as a Python object and over HTTP, on a socket and in the mock, for every client."""

from __future__ import annotations

import http.client
import json
import math
import threading
import time

import jwt
import pytest
import requests
from control_sides import PASSWORD, ByHttp, ByPython, Refused, address, ask, ours, theirs, token_of

from graphistry_core import BadRequest, GraphistryError, Hub, NotFound, wire
from graphistry_core.dev import Dev
from graphistry_core.dev.fields import known
from graphistry_core.dev.masks import scrub
from graphistry_core.gateway import Gateway
from graphistry_core.messages import Auth, HttpRequest
from graphistry_devserver import DevServer
from pytest_graphistry import GraphistryMock

COUNT = "def task(g): return {'edges': len(g._edges)}"


@pytest.fixture(params=["socket", "mock"])
def server(request):
    """A server on a real socket, and one behind the mock."""
    return request.getfixturevalue("graphistry_server" if request.param == "socket" else "graphistry_mock")


@pytest.fixture(params=[ByPython, ByHttp], ids=["python", "http"])
def control(request, server):
    return request.param(server)


@pytest.fixture(params=[ours, theirs], ids=["ours", "pygraphistry"])
def log_in(request):
    return request.param


class TestJournal:
    def test_has_every_request_of_a_client_by_operation(self, server, control, log_in, edges):
        log_in(server).edges(edges, "s", "d").upload().python_remote_json(COUNT)
        names = [entry["operation"] for entry in control.journal()]
        assert names[0] == "login"
        assert {"login", "file_create", "file_upload", "dataset_create", "python"} <= set(names)
        assert [entry["number"] for entry in control.journal()] == sorted(e["number"] for e in control.journal())
        assert {entry["user"] for entry in control.journal()} == {"alice"}
        assert {entry["status"] for entry in control.journal()} == {200}
        upload = control.journal(operation="file_upload")[0]
        assert upload["body"]["table"] == {"rows": 4, "columns": 4}
        assert upload["body"]["bytes"] > 100
        create = control.journal(operation="dataset_create")[0]
        assert {"edge_encodings", "edge_files", "name"} <= set(create["body"]["keys"])
        assert all(0 <= entry["duration_s"] < 60 for entry in control.journal())

    def test_knows_every_field_that_clients_send(self, server, control, log_in, edges, nodes):
        client = log_in(server)
        g = client.edges(edges, "s", "d").nodes(nodes, "id").encode_point_color("name", as_categorical=True)
        g.privacy(mode="public", notify=False, invited_users=[], message="m").upload()
        g.plot(render="url")
        assert [entry["unknown"] for entry in control.journal() if entry["unknown"]] == []

    def test_has_a_failed_task_with_source_logs_and_traceback(self, server, control, log_in, edges):
        g = log_in(server).edges(edges, "s", "d").upload()
        source = "def task(g):\n    print('before')\n    return 1 / 0\n"
        with pytest.raises(Exception, match="division by zero"):
            g.python_remote_json(source)
        (entry,) = control.journal(operation="python", status="4xx")
        assert "return 1 / 0" in entry["task"]["source"]
        assert "before" in entry["task"]["logs"]
        assert "ZeroDivisionError" in entry["task"]["traceback"]
        assert entry["error"]["code"] == "task-failed"
        assert control.journal(text="ZeroDivisionError") == [entry]

    def test_holds_no_secret(self, server, control, log_in, edges):
        client = log_in(server)
        g = client.edges(edges, "s", "d").upload()
        token = client.api_token()
        leak = (
            f"def task(g):\n    password = '{PASSWORD}'\n    print('Bearer {token}')\n    raise ValueError('{token}')"
        )
        with pytest.raises(GraphistryError if log_in is ours else Exception, match="ValueError"):
            g.python_remote_json(leak)
        base, keys = address(server), {"Authorization": f"PersonalKey id:{PASSWORD}"}
        requests.post(f"{base}/api/v2/auth/pkey/jwt/", headers=keys, json={}, timeout=30)
        ask(server, f"/api/v2/files/?token={token}&x={PASSWORD}&password={PASSWORD}", token)
        ask(server, "/api-token-verify/", method="POST", json={"token": token})
        ask(server, "/api-token-auth/", method="POST", json={"username": token, "password": PASSWORD})
        ask(server, f"/api/v2/files/{token}/", method="DELETE", cookies={"sessionid": PASSWORD})
        state = ask(server, "/api/v2/g/sso/oidc/login/", method="POST", data={"client-type": "x"}).json()["data"][
            "state"
        ]
        ask(server, f"/api/v2/o/sso/oidc/jwt/{state}/")
        everything = json.dumps(control.journal())
        assert len(control.journal()) >= 12
        for secret in (PASSWORD, token, token.split(".")[1], token.split(".")[2], state):
            assert secret not in everything

    def test_is_searched_by_operation_user_status_and_text(self, server, control):
        for user in ("alice", "bob"):
            ask(server, token=token_of(server, user))
        ask(server, token="nonsense")
        ask(server, "/no/such/route")
        assert [e["user"] for e in control.journal(operation="file_list", status=200)] == ["alice", "bob"]
        assert [e["operation"] for e in control.journal(user="bob")] == ["login", "file_list"]
        assert [e["user"] for e in control.journal(status=401)] == [None]
        assert [e["operation"] for e in control.journal(status="4xx")] == ["file_list", "unknown"]
        assert [e["path"] for e in control.journal(text="such")] == ["/no/such/route"]
        control.forget_journal()
        assert control.journal() == []

    def test_a_limit_keeps_the_newest(self, graphistry_server):
        for _ in range(3):
            ask(graphistry_server, "/healthz")
        found = ByHttp(graphistry_server).send("GET", "journal", params={"limit": 2})
        assert (found["count"], [entry["number"] for entry in found["entries"]]) == (
            3,
            [entry.number for entry in graphistry_server.dev.journal][1:],
        )

    def test_is_bounded_in_number_and_in_text(self):
        hub = Hub()
        dev = Dev(hub)
        gateway = Gateway(hub, dev)
        for number in range(1100):
            gateway.handle(HttpRequest("GET", f"/healthz{number}"))
        assert len(dev.journal) == 1000
        assert [entry.path for entry in dev.journal][::999] == ["/healthz100", "/healthz1099"]
        for _ in range(1000):
            gateway.handle(HttpRequest("GET", "/" + "x" * 40_000))
        assert sum(len(entry.path) for entry in dev.journal) <= 16 << 20
        hub.close()

    def test_does_not_hold_the_control_sides_own_requests(self, graphistry_server):
        http = ByHttp(graphistry_server)
        http.flags()
        with pytest.raises(NotFound):
            http.send("GET", "nonsense")
        assert http.journal() == []


class TestMasks:
    @pytest.mark.parametrize(
        "text",
        [
            "password='hunter22'",
            '{"password": "hunter22"}',
            "{'GRAPHISTRY_PASSWORD': 'hunter22'}",
            "Authorization: Bearer hunter22",
            "PersonalKey abc:hunter22",
            'my_api_key = "hunter22"',
        ],
    )
    def test_assigned_secrets_go(self, text):
        assert "hunter22" not in scrub(text)

    @pytest.mark.parametrize("text", ["graphistry_core.executors.inprocess.run", "tokens = 3", "def password(): ..."])
    def test_ordinary_text_stays(self, text):
        assert scrub(text) == text

    @pytest.mark.parametrize("part", ["password", "eyJ-", "eyJ.", "token ", "bearer ", "password='", "a=", "secret = "])
    def test_no_text_takes_long(self, part):
        begun = time.perf_counter()
        scrub(part * (64_000 // len(part)))
        assert time.perf_counter() - begun < 10


class TestFaults:
    def test_a_429_with_retry_after_on_the_second_python_call_only(self, server, control, log_in, edges):
        g = log_in(server).edges(edges, "s", "d").upload()
        control.fault("python", status=429, retry_after=7, nth=2, body={"error": "slow down"})
        assert g.python_remote_json(COUNT) == {"edges": 4}
        with pytest.raises(Exception, match="slow down"):
            g.python_remote_json(COUNT)
        assert g.python_remote_json(COUNT) == {"edges": 4}
        assert [e["status"] for e in control.journal(operation="python")] == [200, 429, 200]
        assert control.journal(operation="python")[1]["task"] is None  # it was not run
        assert [e["fault"] for e in control.journal(operation="python")] == [None, control.faults()[0]["id"], None]

    def test_retry_after_and_headers_arrive(self, server, control):
        control.fault("health", status=503, retry_after=3, headers={"X-Why": "test"}, body="busy")
        response = ask(server, "/healthz")
        assert (response.status_code, response.text) == (503, "busy")
        assert (response.headers["Retry-After"], response.headers["X-Why"]) == ("3", "test")

    def test_the_body_is_the_projects_json_unless_given(self, server, control):
        control.fault("file_list", status=401)
        body = ask(server, token=token_of(server)).json()
        assert (body["success"], body["code"]) == (False, "fault")
        assert body["error"] == body["message"]

    def test_a_user_is_picked_by_token_by_key_and_by_login(self, server, control):
        alice, bob = token_of(server, "alice"), token_of(server, "bob")
        control.fault("file_list", user="bob", status=403)
        assert [ask(server, token=token).status_code for token in (alice, bob)] == [200, 403]
        control.fault("login", user="bob", status=500)
        body = {"password": "pw"}
        statuses = [
            ask(server, "/api-token-auth/", method="POST", json={**body, "username": user}).status_code
            for user in ("alice", "bob")
        ]
        assert statuses == [200, 500]
        control.fault("personal_key", user="key-7", status=500)
        for key, status in (("6", 200), ("7", 500)):
            headers = {"Authorization": f"PersonalKey {key}:secret"}
            url = f"{address(server)}/api/v2/auth/pkey/jwt/"
            assert requests.post(url, headers=headers, json={}, timeout=30).status_code == status

    def test_from_the_nth_call_on_so_many_times(self, server, control):
        control.fault("health", status=500, nth=2, times=2)
        assert [ask(server, "/healthz").status_code for _ in range(5)] == [200, 500, 500, 200, 200]
        assert (control.faults()[0]["matched"], control.faults()[0]["hits"]) == (5, 2)

    def test_without_nth_every_call_until_removed(self, server, control):
        first = control.fault("health", status=500)
        control.fault("*", status=502)
        assert [ask(server, "/healthz").status_code for _ in range(2)] == [500, 500]
        control.remove_faults(first)
        assert ask(server, "/healthz").status_code == 502
        control.remove_faults()
        assert control.faults() == []
        assert ask(server, "/healthz").status_code == 200
        with pytest.raises(NotFound):
            control.remove_faults(first)

    def test_latency_delays_the_real_answer(self, server, control):
        control.fault("health", latency_s=0.2)
        begun = time.perf_counter()
        assert ask(server, "/healthz").status_code == 200
        assert time.perf_counter() - begun >= 0.2

    def test_clearing_lets_waiting_requests_go(self, graphistry_server):
        graphistry_server.dev.faults.add("health", latency_s=600)
        done = []
        thread = threading.Thread(target=lambda: done.append(ask(graphistry_server, "/healthz").status_code))
        thread.start()
        while not graphistry_server.dev.faults.list()[0].hits:
            time.sleep(0.005)
        graphistry_server.dev.faults.clear()
        thread.join(20)
        assert done == [200]

    def test_a_dropped_connection(self, server, control):
        control.fault("health", effect="drop", times=1)
        with pytest.raises(requests.ConnectionError):
            ask(server, "/healthz")
        assert ask(server, "/healthz").status_code == 200

    def test_a_dropped_connection_sends_not_one_byte(self, graphistry_server):
        graphistry_server.dev.faults.add("health", effect="drop", times=1)
        connection = http.client.HTTPConnection("127.0.0.1", graphistry_server.port, timeout=20)
        connection.request("GET", "/healthz")
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
        connection.close()

    def test_a_truncated_body(self, server, control):
        control.fault("health", effect="truncate", times=1)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            ask(server, "/healthz")
        assert ask(server, "/healthz").json()["status"] == "OK"

    def test_a_truncated_body_is_half_of_what_its_length_says(self, graphistry_server):
        whole = ask(graphistry_server, "/healthz").content
        graphistry_server.dev.faults.add("health", effect="truncate", times=1)
        connection = http.client.HTTPConnection("127.0.0.1", graphistry_server.port, timeout=20)
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        assert response.headers["Content-Length"] == str(len(whole))
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
        assert caught.value.partial == whole[: len(whole) // 2]
        connection.close()

    def test_html_instead_of_json(self, server, control):
        control.fault("health", effect="html", times=1)
        control.fault("health", effect="html", status=200)
        for status in (502, 200):
            response = ask(server, "/healthz")
            assert response.status_code == status
            assert response.headers["Content-Type"].startswith("text/html")
            assert response.text.startswith("<html>")

    def test_an_operation_that_took_place_behind_a_lost_answer(self, server, control):
        token = token_of(server)
        for carried_out, files in ((False, 0), (True, 1)):
            control.fault("file_create", effect="drop", carried_out=carried_out, times=1)
            with pytest.raises(requests.ConnectionError):
                ask(server, token=token, method="POST", json={"file_type": "arrow"})
            assert ask(server, token=token).json()["count"] == files

    def test_probability_is_repeatable_by_its_seed(self, server, control):
        def pattern(seed):
            control.remove_faults()
            control.fault("health", status=500, probability=0.5, seed=seed)
            return [ask(server, "/healthz").status_code for _ in range(24)]

        assert pattern(1) == pattern(1) != pattern(2)
        assert set(pattern(1)) == {200, 500}

    def test_our_client_says_what_happened(self, server, control, edges):
        client = ours(server)
        g = client.edges(edges, "s", "d").upload()
        control.fault("python", effect="drop", times=1)
        control.fault("python", effect="html", times=1)
        control.fault("python", effect="truncate", times=1)
        for _ in range(3):
            with pytest.raises(GraphistryError):
                g.python_remote_json(COUNT)
        assert g.python_remote_json(COUNT) == {"edges": 4}

    def test_an_operation_that_does_not_exist_is_refused(self, server, control):
        for name in ("pyton", 5, "unknown"):
            with pytest.raises(BadRequest, match="no operation"):
                control.fault(name, status=500)

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"status": 99},
            {"status": "500"},
            {"status": 500, "nth": 0},
            {"status": 500, "times": 1.5},
            {"status": 500, "probability": 2},
            {"latency_s": -1},
            {"latency_s": True},
            {"effect": "explode"},
            {"status": 500, "headers": "x"},
            {"status": 500, "colour": "red"},
            {"status": 500, "matched": 3},
            {"status": 500.5},
            {"status": 500, "headers": {"A": "x\r\nB: y"}},
            {"status": 500, "headers": {"A": 1}},
            {"status": 500, "seed": []},
            {"status": 500, "user": 1},
            {"status": 500, "carried_out": "no"},
        ],
    )
    def test_a_fault_that_makes_no_sense_is_refused(self, server, control, options):
        with pytest.raises(BadRequest):
            control.fault("python", **options)
        assert control.faults() == []


class TestClock:
    def test_tokens_expire_by_it(self, server, control):
        token = token_of(server)
        control.advance(3590)
        assert ask(server, token=token).status_code == 200
        control.advance(20)
        response = ask(server, token=token)
        assert response.status_code == 401
        assert response.json()["non_field_errors"] == ["Token has expired."]

    def test_pygraphistry_logs_in_again(self, server, control, edges):
        client = theirs(server)
        g = client.edges(edges, "s", "d").upload()
        control.advance(4000)
        control.forget_journal()
        assert g.python_remote_json(COUNT) == {"edges": 4}
        assert [(e["operation"], e["status"]) for e in control.journal()][:2] == [("refresh", 401), ("login", 200)]

    def test_it_stands_still_and_goes_on(self, server, control):
        control.freeze(1_000_000)
        assert control.now() == control.now() == 1_000_000
        control.advance(5)
        assert control.now() == 1_000_005
        assert jwt.decode(token_of(server), options={"verify_signature": False})["iat"] == 1_000_005
        control.freeze(False)
        assert 1_000_005 <= control.now() < 1_000_100
        control.freeze()
        assert control.now() == control.now()
        control.reset_clock()
        assert math.isclose(control.now(), time.time(), abs_tol=60)

    @pytest.mark.parametrize(
        "body", [{"advance": "1"}, {"freeze": "now"}, {"advance": 1e99}, {"advnce": 1}, {"freeze": []}]
    )
    def test_nonsense_is_refused(self, graphistry_server, body):
        with pytest.raises(BadRequest):
            ByHttp(graphistry_server).send("POST", "clock", json=body)


class TestTokens:
    @pytest.mark.parametrize(("how", "sentence"), [("expire", "expired"), ("revoke", "revoked")])
    def test_one_token(self, server, control, how, sentence):
        first, second = token_of(server), token_of(server)
        control.end_tokens(how, token=first)
        refused = ask(server, token=first)
        assert refused.status_code == 401
        assert sentence in refused.json()["error"]
        assert ask(server, token=second).status_code == 200
        assert ask(server, "/api/v2/auth/token/refresh", method="POST", json={"token": first}).status_code == 401
        control.forget_ended_tokens()
        assert ask(server, token=first).status_code == 200

    def test_all_tokens_of_a_user_so_far(self, server, control):
        alice, bob = token_of(server, "alice"), token_of(server, "bob")
        control.end_tokens("expire", user="alice")
        assert [ask(server, token=t).status_code for t in (alice, bob)] == [401, 200]
        assert ask(server, token=token_of(server, "alice")).status_code == 200

    def test_everybodys_tokens(self, server, control):
        tokens = [token_of(server, user) for user in ("alice", "bob")]
        control.end_tokens("revoke")
        assert [ask(server, token=t).status_code for t in tokens] == [401, 401]

    def test_clients_log_in_again(self, server, control, log_in, edges):
        client = log_in(server)
        g = client.edges(edges, "s", "d").upload()
        control.end_tokens("expire", user="alice")
        assert g.python_remote_json(COUNT) == {"edges": 4}

    def test_a_token_of_somebody_else_cannot_be_ended(self, server, control):
        with pytest.raises((GraphistryError, Refused), match="not one of this server's"):
            control.end_tokens("revoke", token="a.b.c")


class TestFlags:
    def test_for_the_server(self, server, control, edges):
        g = ours(server).edges(edges, "s", "d").upload()
        assert control.flags()["flag_python_endpoint_disabled"] is False
        assert control.set_flags(flag_python_endpoint_disabled=True)["flag_python_endpoint_disabled"] is True
        with pytest.raises(GraphistryError, match="flag_python_endpoint_disabled"):
            g.python_remote_json(COUNT)
        control.reset()
        assert control.flags()["flag_python_endpoint_disabled"] is False

    def test_for_one_user(self, server, control, edges):
        graphs = {user: ours(server, user).edges(edges, "s", "d").upload() for user in ("alice", "bob")}
        control.set_flags("bob", flag_python_endpoint_enabled_users=False)
        assert graphs["alice"].python_remote_json(COUNT) == {"edges": 4}
        with pytest.raises(GraphistryError, match="flag_python_endpoint_enabled_users"):
            graphs["bob"].python_remote_json(COUNT)
        name = "flag_python_endpoint_enabled_users"
        assert [control.flags(user)[name] for user in ("alice", "bob")] == [True, False]
        assert control.set_flags("bob", flag_python_endpoint_enabled_users=None)[name] is True
        assert graphs["bob"].python_remote_json(COUNT) == {"edges": 4}

    def test_unknown_names_and_values_are_refused_and_change_nothing(self, server, control):
        before = control.flags()
        for flags in ({"flag_nonsense": True}, {"flag_python_endpoint_disabled": "yes"}):
            with pytest.raises(BadRequest):
                control.set_flags(**{"flag_python_endpoint_enabled_users": False, **flags})
        with pytest.raises(BadRequest):
            control.set_flags(flag_python_endpoint_disabled=None)
        assert control.flags() == before


class TestSnapshots:
    def test_bring_back_users_datasets_tables_and_tokens(self, server, control, log_in, edges):
        client = log_in(server)
        g = client.edges(edges, "s", "d").upload()
        token = token_of(server)
        snapshot = control.snapshot()
        ask(server, f"/api/v2/datasets/{g._dataset_id}/", token, "DELETE")
        later = log_in(server, "bob").edges(edges.head(2), "s", "d").upload()
        control.set_flags(flag_python_endpoint_disabled=True)
        control.advance(10_000)
        control.restore(snapshot)
        assert g.python_remote_json(COUNT) == {"edges": 4}
        assert ask(server, token=token).status_code == 200
        assert ask(server, f"/api/v2/upload/datasets/{later._dataset_id}", token).status_code == 404
        assert control.snapshots() == [snapshot]

    def test_survive_a_reset_and_can_be_restored_again(self, server, control, edges):
        g = ours(server).edges(edges, "s", "d").upload()
        snapshot = control.snapshot()
        for _ in range(2):
            control.reset()
            with pytest.raises(GraphistryError):
                g.python_remote_json(COUNT)
            control.restore(snapshot)
            assert g.python_remote_json(COUNT) == {"edges": 4}

    def test_keep_the_shares(self, server, control, edges):
        g = ours(server).edges(edges, "s", "d").upload()
        bob = token_of(server, "bob")
        alice = token_of(server)
        path = f"/api/v2/upload/datasets/{g._dataset_id}"
        share = {"obj_pk": g._dataset_id, "mode": "private"}
        assert ask(server, "/api/v2/share/link/", alice, "POST", json=share).status_code == 200
        snapshot = control.snapshot()
        share["mode"] = "public"
        ask(server, "/api/v2/share/link/", alice, "POST", json=share)
        assert ask(server, path, bob).status_code == 200
        control.restore(snapshot)
        assert ask(server, path, bob).status_code == 404

    def test_keep_tables_on_disk_until_dropped(self, server, control, edges):
        tables = server.hub.store.root / "tables"
        g = ours(server).edges(edges, "s", "d").plot(render="g", as_files=False)
        kept = {path.name for path in tables.iterdir()}
        first, second = control.snapshot(), control.snapshot()
        ask(server, f"/api/v2/datasets/{g._dataset_id}/", token_of(server), "DELETE")
        assert {path.name for path in tables.iterdir()} == kept
        control.drop_snapshots(first)
        assert {path.name for path in tables.iterdir()} == kept
        control.drop_snapshots(second)
        assert list(tables.iterdir()) == []
        assert control.snapshots() == []

    def test_tables_of_later_uploads_go_when_going_back(self, server, control, edges):
        snapshot = control.snapshot()
        ours(server).edges(edges, "s", "d").upload()
        assert list((server.hub.store.root / "tables").iterdir())
        control.restore(snapshot)
        assert list((server.hub.store.root / "tables").iterdir()) == []

    def test_an_unknown_one_is_not_found(self, server, control):
        for call in (control.restore, control.drop_snapshots):
            with pytest.raises(NotFound, match="no snapshot"):
                call("snapshot-99")

    def test_are_as_good_in_a_directory_that_stays(self, tmp_path, edges):
        with DevServer(data_dir=tmp_path) as server:
            g = ours(server).edges(edges, "s", "d").upload()
            snapshot = server.dev.snapshot()
            server.dev.reset()
            server.dev.restore(snapshot)
        with DevServer(data_dir=tmp_path) as server:
            token = token_of(server)
            assert ask(server, f"/api/v2/upload/datasets/{g._dataset_id}", token).status_code == 200


class TestStrict:
    def test_what_is_not_known_is_501_and_written_down(self, server, control):
        token = token_of(server)
        control.set_strict()
        assert ask(server, "/api/v2/nonsense/", token).status_code == 501
        assert ask(server, "/api/v2/logout-user/username/y/", token).status_code == 501
        assert ask(server, token=token, method="PUT").status_code == 501
        assert ask(server, token=token, method="POST", json={"file_type": "csv", "colour": 1}).status_code == 501
        assert ask(server, "/api/v2/files/?page=2", token).status_code == 501
        found = [(failure["what"], failure["name"], failure["operation"]) for failure in control.failures()]
        assert found == [
            ("route", "GET /api/v2/nonsense/", "unknown"),
            ("route", "GET /api/v2/logout-user/username/y/", "unknown"),
            ("route", "PUT /api/v2/files/", "unknown"),
            ("field", "colour", "file_create"),
            ("parameter", "page", "file_list"),
        ]
        with pytest.raises(AssertionError, match=r"5 things .*\n.*nonsense[\s\S]*colour[\s\S]*page"):
            server.dev.strict.assert_none()
        control.forget_failures()
        assert control.failures() == []
        server.dev.strict.assert_none()

    def test_what_clients_send_is_known(self, server, control, log_in, edges, nodes):
        control.set_strict()
        client = log_in(server)
        g = client.edges(edges, "s", "d").nodes(nodes, "id").encode_point_color("name", as_categorical=True)
        sent = g.privacy(mode="private").upload()
        assert sent.python_remote_json(COUNT) == {"edges": 4}
        assert len(sent.python_remote_g("def task(g): return g")._edges) == 4
        g.plot(render="url")
        assert control.failures() == []

    def test_off_it_accepts_and_warns_once(self, server, control, caplog):
        token = token_of(server)
        for _ in range(2):
            response = ask(server, token=token, method="POST", json={"file_type": "csv", "colour": 1})
            assert response.status_code == 200
        assert control.failures() == []
        assert [e["unknown"] for e in control.journal(operation="file_create")] == [["colour"]] * 2

    def test_it_can_be_switched_off(self, server, control):
        control.set_strict()
        control.set_strict(False)
        assert ask(server, "/api/v2/nonsense/").status_code == 404
        assert control.failures() == []

    def test_an_unknown_thing_of_a_stranger_is_401_first(self, server, control):
        control.set_strict()
        assert ask(server, method="POST", json={"colour": 1}).status_code == 401
        assert control.failures() == []

    def test_known_names_come_from_the_operations(self):
        assert known(wire.Python).body >= {"execute", "engine", "format", "output_type", "run_label"}
        assert "dataset_id" not in known(wire.Python).body
        assert known(wire.FileList).query >= {"limit", "offset"}
        assert known(wire.DatasetUpload).table
        for kind in wire.OPERATIONS:
            sent = sample(kind)
            if sent is not None and not known(kind).table and not known(kind).form:
                assert set(json.loads(sent.body or b"{}")) <= known(kind).body
                assert set(sent.query) <= known(kind).query


def sample(kind):
    """One request as our client sends it, with every field set; None where that takes more than a name."""
    try:
        return kind.decode({}, HttpRequest("POST", "/")).encode()
    except (GraphistryError, KeyError):
        return None


class TestReset:
    def test_begins_anew(self, server, control, edges):
        ours(server).edges(edges, "s", "d").upload()
        token = token_of(server)
        control.fault("health", status=500)
        control.set_strict()
        ask(server, "/nonsense")
        control.set_flags(flag_python_endpoint_disabled=True)
        control.advance(5000)
        control.reset()
        assert (control.journal(), control.faults(), control.failures()) == ([], [], [])
        assert control.flags()["flag_python_endpoint_disabled"] is False
        assert math.isclose(control.now(), time.time(), abs_tol=60)
        assert ask(server, token=token).status_code == 401
        assert ask(server, "/nonsense").status_code == 404
        assert list((server.hub.store.root / "tables").iterdir()) == []


class TestAccess:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Origin": "http://localhost"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Host": "evil.example"},
            {"Host": "127.0.0.1.evil.example"},
            {"X-Forwarded-For": "127.0.0.1"},
            {"Forwarded": "for=127.0.0.1"},
        ],
    )
    def test_other_sites_and_proxies_are_refused(self, graphistry_server, headers):
        for method, path in (("GET", "journal"), ("POST", "reset"), ("GET", "nonsense")):
            response = requests.request(method, f"{graphistry_server.url}/_dev/{path}", headers=headers, timeout=30)
            assert response.status_code == 403, headers
            assert response.json()["success"] is False

    def test_its_own_page_is_let_in(self, graphistry_server):
        headers = {"Origin": graphistry_server.url, "Sec-Fetch-Site": "same-origin"}
        assert requests.get(f"{graphistry_server.url}/_dev/flags", headers=headers, timeout=30).status_code == 200

    @pytest.mark.parametrize(
        ("remote", "status"),
        [
            ("127.0.0.1", 200),
            ("127.8.8.8", 200),
            ("::1", 200),
            ("::ffff:127.0.0.1", 200),
            ("10.0.0.5", 403),
            ("::ffff:10.0.0.5", 403),
            ("", 403),
            ("unix", 403),
        ],
    )
    def test_only_this_machine_is_answered(self, hub, remote, status):
        gateway = Gateway(hub, Dev(hub))
        assert gateway.handle(HttpRequest("GET", "/_dev/flags", remote=remote)).status == status

    def test_without_a_dev_there_is_no_control_side(self, hub):
        assert Gateway(hub).handle(HttpRequest("GET", "/_dev/flags", remote="127.0.0.1")).status == 404

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "", 200),
            ("GET", "/", 200),
            ("GET", "/nonsense", 404),
            ("PUT", "/flags", 405),
            ("GET", "/flags/x", 404),
            ("DELETE", "/faults/x", 404),
            ("DELETE", "/faults/²", 404),
            ("GET", "/journal?colour=red", 400),
            ("GET", "/journal?limit=-1", 400),
            ("POST", "/tokens/burn", 404),
        ],
    )
    def test_mistakes_are_said(self, graphistry_server, method, path, status):
        response = requests.request(method, f"{graphistry_server.url}/_dev{path}", timeout=30)
        assert response.status_code == status
        assert response.headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize("body", [b"{", b"[]", b'{"colour": 1}', b"\xff"])
    @pytest.mark.parametrize("path", ["faults", "clock", "flags", "restore", "strict", "tokens/expire"])
    def test_bodies_that_are_none_are_400(self, graphistry_server, path, body):
        response = requests.post(f"{graphistry_server.url}/_dev/{path}", data=body, timeout=30)
        assert response.status_code == 400
        assert response.json()["success"] is False


class TestHubBehind:
    def test_two_servers_of_one_hub_keep_journals_of_their_own(self, hub, edges):
        with DevServer(hub=hub) as one, DevServer(hub=hub) as two:
            g = ours(one).edges(edges, "s", "d").upload()
            g.python_remote_json(COUNT)
            assert [e.task is not None for e in one.dev.journal.find("python")] == [True]
            assert len(two.dev.journal) == 0
        assert hub.task_watchers == []

    def test_the_journal_can_be_read_after_the_end(self, edges):
        with GraphistryMock() as mock:
            token_of(mock)
        with DevServer() as server:
            token_of(server)
        assert [[e.operation for e in each.dev.journal] for each in (mock, server)] == [["login"], ["login"]]

    def test_many_threads_are_all_written_down(self, graphistry_server):
        token = token_of(graphistry_server)
        threads = [
            threading.Thread(target=lambda: [ask(graphistry_server, token=token) for _ in range(10)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        entries = graphistry_server.dev.journal.find("file_list", user="alice", status=200)
        assert len({entry.number for entry in entries}) == 80


def test_the_local_transport_needs_none_of_it(hub):
    dev = Dev(hub)
    token = hub.call(wire.Login("alice", "pw"), Auth()).token
    dev.tokens.revoke("alice")
    with pytest.raises(GraphistryError, match="revoked"):
        hub.call(wire.FileList(), Auth("bearer", token=token))


class TestParity:
    def test_the_page_in_docs_is_the_one_the_code_gives(self):
        from conftest import ROOT

        from graphistry_core.dev.parity import page

        written = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")
        assert written == page(), "docs/parity.md is stale: run python -m graphistry_core.dev.parity"

    def test_every_route_that_is_served_is_on_it(self, server, control):
        found = {(route, each["status"]) for each in control.parity() for route in each["routes"]}
        for method, path, _ in wire.routes():
            assert (f"{method} {path}", "not") not in found
            assert f"{method} {path}" in {route for route, _ in found}

    def test_every_statement_is_one_of_the_words(self, server, control):
        def statements(each):
            return [each, *each["request"], *each["answer"]]

        for statement in (s for each in control.parity() for s in statements(each)):
            assert statement["status"] in ("implemented", "partial", "not")
            assert statement["source"] in ("observed", "client", "docs", "seed", "guess")

    def test_every_note_is_about_a_field_that_is_there(self):
        from graphistry_core.dev.parity_notes import ANSWERS, FIELDS, MISSING_FIELDS

        by_name = {kind.operation: kind for kind in wire.OPERATIONS}
        for operation, name in FIELDS:
            fields = known(by_name[operation])
            assert name in fields.body | fields.query, (operation, name)
        assert set(MISSING_FIELDS) <= set(by_name)
        assert {kind.answer.__name__ for kind in wire.OPERATIONS} <= set(ANSWERS)
