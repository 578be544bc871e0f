"""Every case runs in-process and over HTTP: what a user sees is the same."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import types
import warnings

import jwt
import pandas as pd
import pytest

import graphistry_core
from graphistry_core import GraphistryClient, Hub, Plottable, errors, wire
from graphistry_core.transports import HttpTransport, LocalTransport
from pytest_graphistry.contracts import TransportContract

COUNT = "def task(g):\n    return {'edges': len(g._edges), 'ends': [g._source, g._destination, g._node]}"


class TestUpload:
    def test_upload_gives_a_graph_that_knows_its_ids(self, client, edges, nodes):
        g = client.edges(edges, "s", "d").nodes(nodes, "id").upload()
        assert g._dataset_id
        assert g._edges_file_id
        assert g._nodes_file_id
        assert g._edges is edges

    def test_plot_url_names_the_dataset(self, client, edges):
        url = client.edges(edges, "s", "d").plot(render="url")
        [record] = client._call(wire.DatasetList()).results
        assert record["dataset_id"] in url

    def test_plot_g_keeps_name_and_description(self, client, edges):
        g = client.edges(edges, "s", "d").name("n é").description("d").plot(render="g")
        again = client.from_dataset_id(g._dataset_id)
        assert (again._name, again._description) == ("n é", "d")
        assert again._source == "s"

    @pytest.mark.parametrize("as_files", [True, False])
    def test_what_is_stored_is_what_was_uploaded(self, client, edges, nodes, as_files):
        g = client.edges(edges, "s", "d").nodes(nodes, "id").plot(render="g", as_files=as_files)
        stored = g.python_remote_g("def task(g):\n    return g")
        pd.testing.assert_frame_equal(stored._edges, edges)
        pd.testing.assert_frame_equal(stored._nodes, nodes)

    def test_changing_the_frame_afterwards_does_not_reach_the_server(self, client):
        df = pd.DataFrame({"s": [1, 2], "d": [2, 3], "w": [1.0, 2.0]})
        g = client.edges(df, "s", "d").upload()
        df.loc[0, "w"] = 99.0
        assert g.python_remote_json("def task(g): return {'w': g._edges['w'].tolist()}") == {"w": [1.0, 2.0]}

    def test_a_zero_row_graph_works(self, client):
        df = pd.DataFrame({"s": pd.Series([], dtype="int64"), "d": pd.Series([], dtype="int64")})
        assert client.edges(df, "s", "d").upload().python_remote_json(COUNT)["edges"] == 0

    @pytest.mark.parametrize(
        ("bind", "sentence"),
        [
            ({}, 'Both "source" and "destination" must be bound before plotting.'),
            ({"source": "s"}, 'Both "source" and "destination" must be bound before plotting.'),
            ({"source": "s", "destination": "d", "nodes": True}, "Node identifier must be bound"),
            ({"source": "s", "destination": "nope"}, "has no column 'nope', which is bound as destination"),
        ],
    )
    def test_an_unbound_plot_says_what_is_missing(self, client, edges, nodes, bind, sentence):
        g = client.bind(**{k: v for k, v in bind.items() if k != "nodes"}).edges(edges)
        g = g.nodes(nodes) if bind.get("nodes") else g
        with pytest.raises(ValueError, match=sentence):
            g.plot(render="url")

    def test_a_plot_without_edges_says_so(self, client):
        with pytest.raises(errors.BindingError, match="Graph/edges must be specified"):
            client.bind(source="s", destination="d").plot(render="url")

    def test_mixed_columns_follow_validate(self, client):
        df = pd.DataFrame({"s": ["a"] * 2, "d": ["b"] * 2, "mixed": pd.Series([1, "x"], dtype=object)})
        g = client.edges(df, "s", "d")
        with pytest.raises(errors.ArrowConversionError) as caught:
            g.plot(render="g", validate="strict")
        assert caught.value.columns == ["mixed"]
        with pytest.warns(UserWarning, match="mixed"):
            g.plot(render="g")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            g.plot(render="g", validate=False)
        assert df["mixed"].tolist() == [1, "x"]


class TestTasks:
    def test_a_callable_and_its_source_give_the_same(self, client, edges, nodes):
        def count(g):
            return {"edges": len(g._edges), "ends": [g._source, g._destination, g._node]}

        g = client.edges(edges, "s", "d").nodes(nodes, "id").upload()
        expected = {"edges": 4, "ends": ["s", "d", "id"]}
        assert g.python_remote_json(count) == expected
        assert g.python_remote_json(COUNT) == expected
        assert graphistry_core.run_task(count, g) == expected

    def test_a_graph_that_is_not_uploaded_is_uploaded_first(self, client, edges):
        assert client.edges(edges, "s", "d").python_remote_json(COUNT)["edges"] == 4

    def test_a_string_is_the_body_itself(self, client, edges):
        g = client.edges(edges, "s", "d").upload()
        assert g.python_remote_json('def task(g): return \'{"not": "parsed"} é\'') == '{"not": "parsed"} é'

    @pytest.mark.parametrize(
        ("source", "error", "sentence"),
        [
            (
                "def task(g):\n    return g._edges['amount'].sum()",
                errors.TaskFailed,
                r"KeyError: 'amount' \(line 2: return",
            ),
            (
                "def task(g):\n    return {'n': g._edges['w'].sum()}",
                errors.ResultNotSerializable,
                r'result\["n"\] is numpy',
            ),
            ("import sys\ndef task(g): sys.exit(4)", errors.TaskFailed, r"SystemExit: 4 \(line 2"),
        ],
    )
    def test_a_tasks_error_arrives_as_its_class(self, client, edges, source, error, sentence):
        g = client.edges(edges, "s", "d").upload()
        with pytest.raises(error, match=sentence) as caught:
            g.python_remote_json(source)
        assert caught.value.run_id
        assert g.python_remote_json(COUNT)["edges"] == 4

    def test_an_error_keeps_line_and_logs(self, client, edges):
        g = client.edges(edges, "s", "d").upload()
        with pytest.raises(errors.TaskFailed) as caught:
            g.python_remote_json("def task(g):\n    print('before')\n    return 1 / 0")
        assert caught.value.line == 3
        assert caught.value.logs == "before\n"
        assert "ZeroDivisionError" in caught.value.traceback

    def test_an_invalid_task_is_refused_before_anything_is_sent(self, client, client_hub, edges):
        with pytest.raises(errors.InvalidTask, match="defines no function 'task'"):
            client.edges(edges, "s", "d").python_remote_json("x = 1")
        assert client._call(wire.DatasetList()).count == 0

    def test_an_invalid_task_is_refused_by_the_server_too(self, client, edges):
        g = client.edges(edges, "s", "d").upload()
        with pytest.raises(errors.InvalidTask, match="defines no function 'task'"):
            g.python_remote_json("x = 1", validate=False)

    @pytest.mark.parametrize("format", ["json", "csv", "parquet"])
    @pytest.mark.parametrize("output_type", ["table", "nodes", "edges", "all", "shape"])
    def test_every_format_and_output_type(self, client, edges, nodes, format, output_type):
        g = client.edges(edges, "s", "d").nodes(nodes, "id").upload()
        source = f"def task(g): return {'g._nodes' if output_type == 'table' else 'g'}"
        out = g.python_remote_table(source, format=format, output_type=output_type)
        if output_type == "shape":
            assert out.values.tolist() == [["nodes", 4, 3], ["edges", 4, 4]]
            assert list(out.columns) == ["kind", "rows", "cols"]
        elif output_type == "table":
            pd.testing.assert_frame_equal(out, nodes)
        else:
            for which, expected in (("nodes", nodes), ("edges", edges)):
                table = getattr(out, f"_{which}")
                if output_type in (which, "all"):
                    pd.testing.assert_frame_equal(table, expected)
                else:
                    assert table is None

    def test_unicode_everywhere(self, client):
        df = pd.DataFrame({"von 🙂": ["ä", "\u202e"], "nach\nzwei": ["日本", ""], "'\"": ["<b>", "&"]})
        g = client.edges(df, "von 🙂", "nach\nzwei").name("<script>é</script>").upload()
        out = g.python_remote_json(
            "def task(g): return {'é': g._edges.values.tolist(), 'b': [g._source, g._destination]}"
        )
        assert out == {"é": df.values.tolist(), "b": ["von 🙂", "nach\nzwei"]}

    def test_pygraphistrys_own_plottable_is_accepted_as_a_result(self, client, edges):
        pytest.importorskip("graphistry")
        g = client.edges(edges, "s", "d").upload()
        source = "import graphistry\ndef task(g): return graphistry.edges(g._edges.head(1), 's', 'd')"
        assert len(g.python_remote_g(source)._edges) == 1


class TestAccess:
    def test_an_unlisted_dataset_is_open_to_whoever_has_its_id(self, client, other, edges):
        g = client.edges(edges, "s", "d").upload()
        assert other.from_dataset_id(g._dataset_id)._source == "s"
        assert other._call(wire.DatasetList()).count == 0

    def test_a_private_dataset_is_404_for_others(self, client, other, edges):
        g = client.edges(edges, "s", "d").privacy("private").upload()
        assert g.python_remote_json(COUNT)["edges"] == 4
        for attempt in (
            lambda: other.from_dataset_id(g._dataset_id),
            lambda: other.edges(edges, "s", "d").python_remote_json(COUNT, dataset_id=g._dataset_id),
            lambda: other._call(wire.DatasetDelete(g._dataset_id)),
        ):
            with pytest.raises(errors.NotFound):
                attempt()

    def test_only_the_owner_changes_or_deletes(self, client, other, edges):
        g = client.edges(edges, "s", "d").upload()
        with pytest.raises(errors.AccessDenied):
            other._call(wire.DatasetDelete(g._dataset_id))
        client._call(wire.DatasetDelete(g._dataset_id))
        with pytest.raises(errors.NotFound):
            client.from_dataset_id(g._dataset_id)

    def test_session_privacy_applies_to_later_uploads(self, client, other, edges):
        client.privacy()
        g = client.edges(edges, "s", "d").upload()
        with pytest.raises(errors.NotFound):
            other.from_dataset_id(g._dataset_id)

    def test_a_switched_off_endpoint_names_the_flag(self, client, client_hub, edges):
        g = client.edges(edges, "s", "d").upload()
        client_hub.accounts.flags["flag_python_endpoint_disabled"] = True
        with pytest.raises(errors.AccessDenied, match="flag_python_endpoint_disabled"):
            g.python_remote_json(COUNT)


class TestTokens:
    def test_claims_and_lifetime(self, client):
        claims = jwt.decode(client.api_token(), options={"verify_signature": False})
        assert claims.keys() == {"username", "user_id", "iat", "exp", "jti", "orig_iat"}
        assert claims["username"] == "alice"
        assert claims["exp"] - claims["iat"] == 3600

    def test_an_expired_token_is_replaced_by_logging_in_again(self, client, client_hub, edges):
        client_hub.accounts.clock.advance(hours=2)
        assert client.edges(edges, "s", "d").upload()._dataset_id

    def test_an_expired_token_alone_is_an_error(self, client, client_hub, edges):
        session = client.session
        holder = GraphistryClient()
        holder.register(
            token=client.api_token(), server=session.hostname, protocol=session.protocol, transport=session.transport
        )
        client_hub.accounts.clock.advance(hours=2)
        with pytest.raises(errors.TokenExpired, match="Failed to refresh token"):
            holder.edges(edges, "s", "d").upload()

    def test_refresh_ends_a_day_after_login(self, client, client_hub):
        holder = GraphistryClient()
        holder.register(token=client.api_token(), transport=client.session.transport)
        for _ in range(30):
            client_hub.accounts.clock.advance(3000)
            try:
                holder.refresh()
            except errors.TokenExpired:
                break
        assert 86000 < client_hub.accounts.clock._offset < 90100

    def test_register_with_a_bad_token_is_a_value_error(self, client):
        with pytest.raises(ValueError, match="token is not valid"):
            GraphistryClient().register(token="nonsense", transport=client.session.transport)

    def test_a_personal_key_is_a_user_of_its_own(self, client, edges):
        session = client.session
        key = GraphistryClient().register(
            personal_key_id="k1", personal_key_secret="s1", transport=session.transport, org_name="lab"
        )
        assert key.session.org_name == "lab"
        assert key.edges(edges, "s", "d").upload()._dataset_id

    def test_one_retry_after_a_401(self, client, client_hub, edges):
        g = client.edges(edges, "s", "d").upload()
        client_hub.accounts.clock.advance(hours=2)
        assert client._call(wire.DatasetGet(g._dataset_id)).dataset_id == g._dataset_id


class TestSessions:
    def test_two_clients_share_nothing(self, client, other, edges):
        assert client.api_token() != other.api_token()
        other.privacy("private")
        assert client.session.privacy is None
        g = other.set_client_for(client.edges(edges, "s", "d"))
        assert g.session is other.session

    def test_an_inherited_client_has_a_session_of_its_own(self, client):
        client.privacy("organization")
        child = client.client(inherit=True)
        child.session.privacy["mode"] = "public"
        assert client.session.privacy["mode"] == "organization"
        assert child.api_token() == client.api_token()

    def test_a_graph_keeps_the_session_it_was_made_with(self, client, client_hub, edges):
        g: Plottable = client.edges(edges, "s", "d")
        before = client.session
        where = {"transport": before.transport, "server": before.hostname, "protocol": before.protocol}
        client.register(username="carol", password="pw", **where)
        uploaded = g.upload()
        client_hub.accounts.clock.advance(hours=2)
        uploaded.python_remote_json(COUNT)  # with an expired token: logged in again, still as alice
        assert uploaded.session is before
        rows = client_hub.store.all("SELECT u.username FROM datasets d JOIN users u ON u.id = d.owner")
        assert [row["username"] for row in rows] == ["alice"]
        assert client.set_client_for(g).session is client.session

    def test_an_inherited_client_logs_in_again_as_the_same_user(self, client, client_hub, edges):
        g = client.edges(edges, "s", "d").privacy("private").upload()
        child = client.client(inherit=True)
        client_hub.accounts.clock.advance(hours=2)
        assert child.from_dataset_id(g._dataset_id)._source == "s"
        assert child.session.username == "alice"

    def test_a_token_never_turns_into_another_user(self, client, client_hub):
        session = client.session
        holder = GraphistryClient().register(
            token=client.api_token(), transport=session.transport, server=session.hostname, protocol=session.protocol
        )
        client_hub.accounts.clock.advance(hours=2)
        with pytest.raises(errors.NotAuthenticated):
            holder.switch_org("x")
        assert holder.session.username == "alice"

    def test_a_deep_copy_has_tables_of_its_own_and_the_same_session(self, client, edges):
        g = copy.deepcopy(client.edges(edges, "s", "d"))
        assert g._edges is not edges
        assert g.session is client.session
        assert g.upload()._dataset_id


class TestValidation:
    """What a server refuses is refused in-process, too, and before anything is sent."""

    @pytest.mark.parametrize(
        "privacy",
        [{"mode": "foo"}, {"mode_action": "99"}, {"notify": "yes"}, {"invited_users": ["a@b"]}, {"message": 5}],
        ids=str,
    )
    def test_privacy(self, client, edges, privacy):
        with pytest.raises(errors.BadRequest):
            client.edges(edges, "s", "d").privacy(**privacy).upload()
        assert client._call(wire.DatasetList()).count == 0

    @pytest.mark.parametrize("call", [lambda c: c.name(5), lambda c: c.description(5)])
    def test_names(self, client, edges, call):
        g = call(client.edges(edges, "s", "d"))
        with pytest.raises(errors.BadRequest, match="must be a string"):
            g.plot(render="g")

    def test_ids_and_organizations(self, client):
        for call in (lambda: client.from_dataset_id(None), lambda: client.switch_org(""), lambda: client.switch_org(5)):
            with pytest.raises(errors.BadRequest, match="must be text"):
                call()

    def test_half_surrogates_are_named(self, client, edges):
        renamed = edges.set_axis(pd.Index(["s", "d", "w", "a\ud800"], dtype=object), axis=1)
        with pytest.raises(errors.InvalidTable, match="column names"):
            client.edges(renamed, "s", "d").upload()
        with pytest.raises(errors.InvalidTable, match=r"\['x'\]"):
            client.edges(edges.assign(x=pd.Series(["\ud800"] * 4, dtype=object)), "s", "d").upload()

    @pytest.mark.parametrize(
        ("arguments", "place"),
        [
            ({"server": "http://127.0.0.1:9/"}, "http://127.0.0.1:9"),
            ({"server": "a.b", "protocol": "http"}, "http://a.b"),
        ],
    )
    def test_a_server_may_come_with_its_protocol(self, arguments, place):
        assert GraphistryClient().register(**arguments).session.transport.place == place
        with pytest.raises(errors.BadRequest, match="ftp"):
            GraphistryClient().register(server="a.b", protocol="ftp")


def test_two_local_clients_share_one_hub_and_are_two_users(edges, monkeypatch):
    first, second = GraphistryClient(), GraphistryClient()
    first.register(transport="local")
    second.register(transport="local")
    hub: Hub = first.session.transport.hub
    assert hub is second.session.transport.hub
    g = first.edges(edges, "s", "d").privacy("private").upload()
    with pytest.raises(errors.NotFound):
        second.from_dataset_id(g._dataset_id)


def test_registering_again_in_process_keeps_the_user(edges):
    client = GraphistryClient().register(transport="local")
    g = client.edges(edges, "s", "d").privacy("private").upload()
    assert client.register(transport="local").from_dataset_id(g._dataset_id)._source == "s"


def test_a_forked_child_leaves_the_parents_data_alone():
    if not hasattr(os, "fork"):
        pytest.skip("there is no fork here")
    code = """
import os, sys, pandas as pd
from graphistry_core import GraphistryClient
client = GraphistryClient().register(transport="local")
g = client.edges(pd.DataFrame({"s": [1], "d": [2]}), "s", "d").upload()
child = os.fork()
if not child:
    sys.exit(0)
os.waitpid(child, 0)
print(g.python_remote_json("def task(g): return {'n': len(g._edges)}"))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "{'n': 1}\n"


def test_secrets_are_in_no_repr():
    shown = [
        wire.Auth("bearer", token="SECRET"),
        wire.Auth("personal_key", key_id="k", key_secret="SECRET"),
        wire.Login("u", "SECRET"),
        wire.Login("u", "SECRET").encode(),
        wire.TokenAnswer("SECRET"),
        wire.SsoToken("SECRET"),
        wire.SsoAnswer(state="SECRET", auth_url="SECRET", token="SECRET"),
        wire.with_auth(wire.DatasetList().encode(), wire.Auth("bearer", token="SECRET")),
    ]
    assert "SECRET" not in repr(shown)


def test_the_environment_selects_the_local_transport(edges, monkeypatch):
    monkeypatch.setenv("GRAPHISTRY_TRANSPORT", "local")
    assert GraphistryClient().edges(edges, "s", "d").python_remote_json(COUNT)["edges"] == 4
    registered = GraphistryClient().register(api=3, username="u", password="p")
    assert registered.edges(edges, "s", "d").upload()._dataset_id


def test_an_unreachable_host_names_the_way_out():
    with pytest.raises(errors.ServerUnreachable, match=r"127.0.0.1:9.*GRAPHISTRY_TRANSPORT=local"):
        GraphistryClient().register(api=3, username="u", password="p", server="127.0.0.1:9", protocol="http")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"username": "u"}, "username exists but missing password"),
        ({"password": "p"}, "password exist but missing username"),
        ({"personal_key_id": "k"}, "missing personal key secret"),
        ({"personal_key_secret": "s"}, "missing personal key id"),
        ({"token": "  "}, "token is blank"),
        ({"api": 1}, "api=3"),
        ({"transport": "carrier pigeon"}, "'local', 'http'"),
    ],
)
def test_register_arguments_that_do_not_go_together(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        GraphistryClient().register(**arguments)


class TestRender:
    """What plot() gives, by mode."""

    @pytest.fixture
    def g(self, client, edges):
        return client.edges(edges, "s", "d")

    def test_url_by_false_none_and_name(self, g):
        for url in (g.plot(render="url"), g.plot(render=False), g.settings(render="url").plot(render=None)):
            assert "graph" in url

    def test_a_browser_is_opened_where_there_is_one(self, g, monkeypatch):
        opened = []
        monkeypatch.setattr("webbrowser.get", lambda *_: None)
        monkeypatch.setattr("webbrowser.open", opened.append)
        assert [g.plot(), g.plot(render=True)] == opened

    def test_a_notebook_gets_an_iframe(self, g, monkeypatch):
        shown = types.ModuleType("IPython.display")
        shown.HTML = lambda text: ("HTML", text)
        ipython = types.ModuleType("IPython")
        ipython.get_ipython = object
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", shown)
        kind, text = g.settings(height=321).plot(extra_html="<b>more</b>")
        assert kind == "HTML"
        assert text.startswith("<iframe")
        assert "321px" in text
        assert text.endswith("<b>more</b>")

    def test_databricks_gets_the_iframe_as_text(self, g, monkeypatch):
        monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "15")
        assert g.plot(override_html_style="x: y").startswith("<iframe")

    def test_a_plotted_graph_shows_itself(self, g):
        assert g._repr_html_() is None
        assert "<iframe" in g.upload()._repr_html_()

    def test_unknown_modes_are_named(self, g):
        with pytest.raises(ValueError, match="hologram"):
            g.plot(render="hologram")

    def test_skip_upload_gives_the_uploader(self, g, client):
        sending = g.name("n").plot(skip_upload=True)
        assert (sending.name, sending.dataset_id) == ("n", None)
        assert sending.post().dataset_id
        assert sending.metadata["apiversion"] == "3"


class TestLocalTransport(TransportContract):
    @pytest.fixture(autouse=True)
    def _hub(self, graphistry_hub):
        self.hub = graphistry_hub

    def make_transport(self):
        return LocalTransport(self.hub)


class TestHttpTransport(TransportContract):
    @pytest.fixture(autouse=True)
    def _server(self, graphistry_server):
        self.server = graphistry_server

    def make_transport(self):
        return HttpTransport(self.server.url)
