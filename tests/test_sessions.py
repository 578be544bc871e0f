"""Many users at once, SSO, and what a session keeps to itself."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from graphistry_core import (
    BadRequest,
    ClientSession,
    GraphistryClient,
    LocalTransport,
    NotAuthenticated,
    NotFound,
    SsoStateInvalid,
    SsoTimeout,
    errors,
    wire,
)

USERS = [f"user{n}" for n in range(8)]


def a_users_day(username, register):
    """Everything a user does, with data that only he has."""
    client = GraphistryClient()
    client.register(**{**register, "username": username})
    out = []
    for round_ in range(3):
        df = pd.DataFrame({"s": [username] * 3, "d": [f"{username}-{round_}-{n}" for n in range(3)]})
        g = client.edges(df, "s", "d").name(username).privacy("private").upload()
        out += g.python_remote_json("def task(g): return {'d': g._edges['d'].tolist(), 's': g._edges['s'].tolist()}")[
            "d"
        ]
        assert client.from_dataset_id(g._dataset_id)._name == username
    return client.session.username, out


def check_days(days, hub):
    for username, (seen, out) in zip(USERS, days, strict=True):
        assert seen == username
        assert out == [f"{username}-{r}-{n}" for r in range(3) for n in range(3)]
    rows = hub.store.all("SELECT d.body, u.username FROM datasets d JOIN users u ON u.id = d.owner")
    assert len(rows) == 24
    assert all(f'"name": "{row["username"]}"' in row["body"] for row in rows)


def registration(kind, request):
    """How to reach a server, and the Hub behind it."""
    if kind == "local":
        hub = request.getfixturevalue("hub")
        return {"password": "pw", "transport": LocalTransport(hub)}, hub
    server = request.getfixturevalue("graphistry_server")
    return {**server.register_kwargs, "password": "pw"}, server.hub


@pytest.mark.parametrize("kind", ["local", "http"])
def test_8_users_in_8_threads(kind, request):
    register, hub = registration(kind, request)
    with ThreadPoolExecutor(8) as pool:
        check_days(list(pool.map(lambda user: a_users_day(user, register), USERS)), hub)


@pytest.mark.parametrize("kind", ["local", "http"])
def test_8_users_in_8_asyncio_tasks(kind, request):
    register, hub = registration(kind, request)

    async def everybody():
        return await asyncio.gather(*(asyncio.to_thread(a_users_day, user, register) for user in USERS))

    check_days(asyncio.run(everybody()), hub)


def test_inside_a_running_event_loop_as_in_jupyter(graphistry_server):
    async def cell():
        return a_users_day("user0", graphistry_server.register_kwargs)

    assert asyncio.run(cell())[0] == "user0"


@pytest.mark.parametrize("module", ["graphistry", "graphistry_core"])
def test_a_given_token_is_checked_by_name(module, monkeypatch):
    client, asked = pytest.importorskip(module).client(), []

    def verify_token(token, fail_silent=False):
        asked.append((token, fail_silent))
        return True

    monkeypatch.setattr(client, "verify_token", verify_token)
    client.register(api=3, server="example.test", token="t")
    assert asked == [("t", False)]
    assert client.session._is_authenticated is True


class TestSso:
    def test_blocking(self, client, capsys):
        client.register(is_sso_login=True, **self.where(client))
        assert client.session.username == "sso-user"
        assert client.org_name() == "sso-user"  # where the server names none, the user's name stands for it
        assert client.sso_state() is None
        assert "Sign in here: " in capsys.readouterr().out

    @pytest.mark.parametrize("idp", [None, "okta"])
    def test_for_an_organization(self, client, idp):
        client.register(org_name="lab", idp_name=idp, is_sso_login=True, **self.where(client))
        assert client.org_name() == "lab"
        assert client.session.username == f"sso-{idp or 'user'}"
        assert client.edges(pd.DataFrame({"s": [1], "d": [2]}), "s", "d").upload()._dataset_id

    def test_not_blocking(self, client, client_hub):
        client_hub.sso.auto_approve, client_hub.sso.wait_s = False, 0.05
        url = client.sso_login(sso_timeout=None)
        assert client.sso_get_token() is None
        client_hub.sso.approve(client.sso_state(), "carol")
        assert url.endswith(client.sso_state())
        assert client.sso_get_token()
        assert client.session.username == "carol"
        with pytest.raises(SsoStateInvalid):
            client.sso_get_token()

    def test_waiting_ends(self, client, client_hub, monkeypatch):
        monkeypatch.setattr("graphistry_core.authentication._POLL_S", 0.05)
        client_hub.sso.auto_approve, client_hub.sso.wait_s = False, 0.01
        with pytest.raises(SsoTimeout, match="sso_get_token"):
            client.sso_login(sso_timeout=0.2)

    def test_waiting_goes_on_until_somebody_signs_in(self, client, client_hub, monkeypatch):
        monkeypatch.setattr("graphistry_core.authentication._POLL_S", 0.05)
        client_hub.sso.auto_approve, client_hub.sso.wait_s = False, 0.05

        def sign_in():
            while not client_hub.sso._states:
                time.sleep(0.01)
            time.sleep(0.3)
            client_hub.sso.approve(next(iter(client_hub.sso._states)), "dora")

        thread = threading.Thread(target=sign_in)
        thread.start()
        client.sso_login(sso_timeout=20)
        thread.join()
        assert client.session.username == "dora"

    def test_what_does_not_go_together(self, client):
        with pytest.raises(BadRequest, match="org_name"):
            client.sso_login(idp_name="okta")
        with pytest.raises(NotFound, match="begin again"):
            client.session.transport.call(wire.SsoToken("nope"), wire.Auth())

    def test_not_where_users_are_configured(self):
        from graphistry_devserver import DevServer

        with DevServer(users={"ann": "pw"}) as server:
            where = {k: server.register_kwargs[k] for k in ("server", "protocol")}
            with pytest.raises(BadRequest, match="not available"):
                GraphistryClient().register(is_sso_login=True, **where)

    def test_pygraphistrys_blocking_login_succeeds(self, graphistry_server, capsys):
        graphistry = pytest.importorskip("graphistry")
        client = graphistry.client()
        where = {k: graphistry_server.register_kwargs[k] for k in ("api", "server", "protocol")}
        client.register(is_sso_login=True, org_name="lab", sso_timeout=5, **where)
        assert client.api_token()
        assert client.org_name() == "lab"

    @staticmethod
    def where(client):
        session = client.session
        if isinstance(session.transport, LocalTransport):
            return {"transport": session.transport}
        return {"server": session.hostname, "protocol": session.protocol}


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value", "read"),
        [
            ("server", "a.b", "a.b"),
            ("protocol", "http", "http"),
            ("client_protocol_hostname", "https://x", "https://x"),
            ("certificate_validation", "no", False),
            ("store_token_creds_in_memory", False, False),
            ("idp_name", " okta ", "okta"),
            ("sso_state", "s", "s"),
            ("personal_key_id", "k", "k"),
            ("personal_key_secret", "s", "s"),
            ("api_token", " t ", "t"),
            ("api_version", 3, 3),
        ],
    )
    def test_each_is_set_and_read(self, name, value, read):
        client = GraphistryClient()
        getattr(client, name)(value)
        assert getattr(client, name)() == read
        assert getattr(GraphistryClient(), name)() != read or name == "api_version"

    def test_the_server_may_change_after_the_transport_was_used(self, graphistry_server):
        client = GraphistryClient().register(server="127.0.0.1:9", protocol="https")
        assert client.session.transport.place == "https://127.0.0.1:9"
        client.server(graphistry_server.register_kwargs["server"])
        client.protocol("http")
        assert client.login("u", "p")

    def test_a_graph_reads_and_sets_its_own_session(self):
        client, other = GraphistryClient(), GraphistryClient()
        g = client.bind()
        g.server("x.y")
        assert (client.server(), g.server()) == ("x.y", "x.y")
        assert other.server() != "x.y"
        assert g.base_url_client() == g.base_url_server() == "https://x.y"
        assert client.client_protocol_hostname() == "//x.y"

    def test_the_config_view_is_live(self):
        client = GraphistryClient()
        client._config["hostname"] = "z"
        assert client.server() == "z"
        assert "api_token" in client._config
        del client._config["api_token"]
        assert client.api_token() is None
        with pytest.raises(KeyError):
            client._config["nope"]
        with pytest.raises(KeyError):
            client._config["_tag"]

    def test_a_copy_shares_no_dict(self):
        session = ClientSession()
        session.privacy = {"mode": "private", "invited_users": [{"email": "a"}]}
        clone = session.copy()
        clone.privacy["invited_users"][0]["email"] = "b"
        clone._uploaded_files["x"] = "y"
        assert session.privacy["invited_users"] == [{"email": "a"}]
        assert session._uploaded_files == {}

    def test_relogin_may_be_replaced(self, client, client_hub):
        client.relogin = lambda: client.api_token("replaced")
        client_hub.accounts.clock.advance(hours=2)
        assert client.refresh() == "replaced"

    def test_no_login_no_request(self):
        with pytest.raises(NotAuthenticated, match=r"Must call login\(\) first"):
            GraphistryClient().refresh()
        assert GraphistryClient().refresh(fail_silent=True) is None


class FakeNode:
    def __init__(self, element_id, **properties):
        self.element_id, self.id, self.labels = element_id, element_id, frozenset({"Person"})
        self._properties = properties

    def keys(self):
        return self._properties.keys()

    def __getitem__(self, name):
        return self._properties[name]

    def get(self, name, default=None):
        return self._properties.get(name, default)

    def items(self):
        return self._properties.items()


class FakeRelationship(FakeNode):
    type = "KNOWS"

    def __init__(self, element_id, start, end):
        super().__init__(element_id, since=2020)
        self.start_node, self.end_node = start, end


class FakeDriver:
    """What PyGraphistry asks of a Neo4j driver."""

    def __init__(self, name):
        self.queries = []
        self.nodes = [FakeNode("1", name=name), FakeNode("2", name="Bob")]
        self.relationships = [FakeRelationship("9", *self.nodes)]

    def session(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def run(self, query, **params):
        self.queries.append((query, params))
        return self

    def graph(self):
        return self


class TestDatabases:
    def test_a_bolt_driver_yields_a_graph_and_sessions_stay_apart(self):
        pytest.importorskip("graphistry")
        alice, bob = FakeDriver("Alice"), FakeDriver("Zoe")
        clients = [GraphistryClient().register(transport="local", bolt=driver) for driver in (alice, bob)]
        graphs = [client.cypher("MATCH (a)-[r]-(b) RETURN a, r, b", {"x": 1}) for client in clients]
        for g, client, name in zip(graphs, clients, ("Alice", "Zoe"), strict=True):
            assert len(g._edges) == 1
            assert name in g._nodes["name"].tolist()
            assert g.session is client.session
            assert g.upload().python_remote_json("def task(g): return {'n': len(g._nodes)}") == {"n": 2}
        assert alice.queries == bob.queries == [("MATCH (a)-[r]-(b) RETURN a, r, b", {"x": 1})]

    def test_a_graph_may_have_its_own_driver(self):
        pytest.importorskip("graphistry")
        client = GraphistryClient().register(transport="local")
        with pytest.raises(ValueError, match="BOLT"):
            client.cypher("RETURN 1")
        assert len(client.bind().bolt(FakeDriver("A")).cypher("RETURN 1")._nodes) == 2

    def test_what_a_plugin_configures_stays_with_its_session(self):
        pytest.importorskip("graphistry")
        one, two = GraphistryClient(), GraphistryClient()
        one.configure_kusto(cluster="https://one", database="db")
        assert one.session.kusto is not None
        assert two.session.kusto is None
        child = one.client(inherit=True)
        assert child.session.kusto == one.session.kusto
        assert child.session.kusto is not one.session.kusto


class TestBridge:
    def test_tables_and_bindings_go_over_and_come_back(self, client, edges):
        pytest.importorskip("graphistry")
        g = client.edges(edges, "s", "d").bind(edge_color="w", point_size="degree").name("n")
        out = g.get_degrees()
        assert type(out) is type(g)
        assert out.session is client.session
        assert (out._edge_color, out._point_size, out._name, out._node) == ("w", "degree", "n", "id")
        assert out._edges is not None
        assert g._nodes is None
        assert sorted(out._nodes["degree"]) == [1, 2, 2, 3]

    def test_matchers_of_pygraphistrys_are_accepted(self, client, edges):
        pytest.importorskip("graphistry")
        from graphistry_core.compute.ast import e_forward, n

        out = client.edges(edges, "s", "d").gfql([n({"id": "a"}), e_forward(), n()])
        assert sorted(out._edges["d"]) == ["b", "é🙂"]

    def test_a_name_nobody_has(self, client):
        with pytest.raises(AttributeError, match="neither has PyGraphistry"):
            client.bind().nonsense()
        with pytest.raises(AttributeError):
            client._nonsense()

    def test_a_local_session_does_not_ask_a_server_it_never_named(self, edges):
        pytest.importorskip("graphistry")
        client = GraphistryClient().register(transport="local")
        with pytest.raises(errors.NotImplementedHere, match="local transport"):
            client.edges(edges, "s", "d").gfql_remote([])

    def test_a_task_may_use_the_verbs_too(self, client, edges):
        pytest.importorskip("graphistry")
        source = "def task(g): return {'nodes': len(g.materialize_nodes()._nodes)}"
        assert client.edges(edges, "s", "d").python_remote_json(source) == {"nodes": 4}
