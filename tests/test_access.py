"""Who may run tasks: two flags, an override, tokens, cookies with CSRF tokens; configured users and organizations."""

from __future__ import annotations

import base64
import itertools
import re

import pandas as pd
import pytest
import requests
from test_http import Api

from graphistry_core import ConfigError, GraphistryClient, InvalidCredentials, NotFound
from graphistry_core.hub import User, load
from graphistry_devserver import DevServer

TASK = {"execute": "def task(g): return {'n': len(g._edges)}"}


@pytest.fixture
def api(graphistry_server):
    return Api(graphistry_server)


@pytest.fixture
def dataset(api):
    return api.dataset(pd.DataFrame({"s": ["a", "b"], "d": ["b", "c"]}))


class Browser:
    """A session with cookies, logged in by the form."""

    def __init__(self, url, username="alice", password="pw"):
        self.url, self.session = url, requests.Session()
        form = self.session.get(f"{url}/accounts/login/", timeout=9).text
        token = re.search('name=csrfmiddlewaretoken value="([^"]+)"', form).group(1)
        data = {"username": username, "password": password, "csrfmiddlewaretoken": token, "next": "/healthz"}
        self.answer = self.session.post(f"{url}/accounts/login/", data=data, timeout=9)

    def post(self, path, csrf=True, **options):
        headers = {"X-CSRFToken": self.session.cookies["csrftoken"]} if csrf else {}
        return self.session.post(self.url + path, headers=headers, timeout=9, **options)


class Token:
    def __init__(self, api):
        self.api = api

    def post(self, path, **options):
        return self.api.send("POST", path, **options)


@pytest.mark.parametrize("how", ["token", "cookie"])
@pytest.mark.parametrize(("disabled", "enabled"), list(itertools.product([False, True], repeat=2)))
@pytest.mark.parametrize("override", [None, "true", "false"])
@pytest.mark.parametrize("scope", ["server", "user"])
def test_both_flags_the_override_and_both_ways_to_prove_who_one_is(
    api, dataset, monkeypatch, how, disabled, enabled, override, scope
):
    flags = {"flag_python_endpoint_disabled": disabled, "flag_python_endpoint_enabled_users": enabled}
    accounts = api.hub.accounts
    if scope == "server":
        accounts.flags.update(flags)
    else:
        accounts.user_flags["alice"] = flags
        accounts.user_flags["bob"] = {"flag_python_endpoint_disabled": not disabled}
    if override:
        monkeypatch.setenv("ENABLE_PYTHON_ENDPOINT", override)
    caller = Token(api) if how == "token" else Browser(api.url)
    answer = caller.post(f"/api/v2/datasets/{dataset}/python", json=TASK)
    if override == "false":
        named = "ENABLE_PYTHON_ENDPOINT"
    elif disabled:
        named = "flag_python_endpoint_disabled"
    elif not enabled:
        named = "flag_python_endpoint_enabled_users"
    else:
        assert (answer.status_code, answer.json()) == (200, {"n": 2})
        return
    assert answer.status_code == 403
    assert named in answer.json()["error"]


class TestHosts:
    """A page whose name was made to resolve to this machine must not reach the Python endpoint."""

    @pytest.mark.parametrize(
        "host", ["evil.example.com", "evil.example.com:{port}", "127.0.0.1.evil.com", "[::2]", '"', ""]
    )
    def test_other_names_are_refused(self, api, host):
        port = api.url.rpartition(":")[2]
        login = {"username": "u", "password": "p"}
        headers = {"Host": host.format(port=port)}
        answer = requests.post(f"{api.url}/api-token-auth/", json=login, headers=headers, timeout=9)
        assert answer.status_code in (400, 403)
        assert answer.json()["success"] is False

    @pytest.mark.parametrize("host", ["localhost", "localhost:{port}", "127.0.0.1:{port}", "[::1]:{port}", "LOCALHOST"])
    def test_names_of_this_machine_are_answered(self, api, host):
        headers = {"Host": host.format(port=api.url.rpartition(":")[2])}
        assert requests.get(f"{api.url}/healthz", headers=headers, timeout=9).status_code == 200

    def test_the_external_name_is_answered(self):
        with DevServer(external_url="https://graphs.example.org") as server:
            headers = {"Host": "graphs.example.org"}
            assert requests.get(f"{server.url}/healthz", headers=headers, timeout=9).status_code == 200


class TestBrowser:
    def test_logging_in_leads_where_one_wanted(self, api):
        browser = Browser(api.url)
        assert browser.answer.url == f"{api.url}/healthz"
        session = next(cookie for cookie in browser.session.cookies if cookie.name == "sessionid")
        assert session.has_nonstandard_attr("HttpOnly")
        assert session.get_nonstandard_attr("SameSite") == "Lax"

    def test_a_cookie_without_the_csrf_token_changes_nothing(self, api, dataset):
        browser = Browser(api.url)
        for csrf in ({}, {"X-CSRFToken": "wrong"}, {"X-CSRFToken": ""}):
            path = f"{api.url}/api/v2/datasets/{dataset}/python"
            answer = browser.session.post(path, json=TASK, headers=csrf, timeout=9)
            assert answer.status_code == 403
            assert "X-CSRFToken" in answer.json()["error"]
        assert browser.session.get(f"{api.url}/api/v2/datasets/", timeout=9).status_code == 200

    def test_logging_out_ends_it(self, api):
        browser = Browser(api.url)
        browser.session.get(f"{api.url}/accounts/logout/", timeout=9)
        assert browser.session.get(f"{api.url}/api/v2/datasets/", timeout=9).status_code == 401

    def test_a_private_dataset_opens_for_its_owner(self, api, dataset):
        api.ok("POST", "/api/v2/share/link/", json={"obj_pk": dataset, "mode": "private"})
        path = f"{api.url}/graph/graph.html?dataset={dataset}"
        assert Browser(api.url).session.get(path, timeout=9).status_code == 200
        assert Browser(api.url, "eve").session.get(path, timeout=9).status_code == 404

    def test_a_form_of_another_site_is_refused(self, api):
        data = {"username": "alice", "password": "pw", "csrfmiddlewaretoken": "guessed"}
        answer = requests.post(f"{api.url}/accounts/login/", data=data, timeout=9)
        assert answer.status_code == 403
        assert "sessionid" not in answer.cookies

    @pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example", "evil"])
    def test_the_way_on_stays_on_this_site(self, api, target):
        session = requests.Session()
        session.get(f"{api.url}/accounts/login/", timeout=9)
        data = {"username": "u", "password": "p", "csrfmiddlewaretoken": session.cookies["csrftoken"], "next": target}
        answer = session.post(f"{api.url}/accounts/login/", data=data, timeout=9, allow_redirects=False)
        assert answer.headers["Location"] == "/"

    def test_wrong_passwords_are_said_and_markup_is_not_run(self):
        with DevServer(users={"ann": "right"}) as server:
            browser = Browser(server.url, "ann", "wrong")
            assert browser.answer.status_code == 400
            assert "Unable to log in" in browser.answer.text
            page = requests.get(f"{server.url}/accounts/login/", params={"next": '"><script>'}, timeout=9).text
            assert "<script>" not in page


USERS = {
    "ann": User("pw-ann", email="ann@example.com", organizations=("acme", "lab"), keys={"k1": "s1"}),
    "bob": User("pw-bob", organizations=("acme",), flags={"flag_python_endpoint_enabled_users": False}),
    "eve": User("pw-eve"),
}


class TestConfiguredUsers:
    @pytest.fixture
    def server(self):
        with DevServer(users=USERS) as server:
            yield server

    def client(self, server, name, **options):
        where = {k: server.register_kwargs[k] for k in ("server", "protocol")}
        return GraphistryClient().register(username=name, password=USERS[name].password, **where, **options)

    def test_organizations_are_those_they_are_given(self, server):
        assert self.client(server, "ann", org_name="lab").org_name() == "lab"
        with pytest.raises(Exception, match="not a member"):
            self.client(server, "bob", org_name="lab")
        with pytest.raises(Exception, match="not found"):
            self.client(server, "ann", org_name="nobodys")

    def test_an_organizations_dataset_is_seen_by_its_members(self, server):
        edges = pd.DataFrame({"s": [1], "d": [2]})
        ann = self.client(server, "ann", org_name="acme")
        g = ann.edges(edges, "s", "d").privacy("organization").upload()
        assert self.client(server, "bob").from_dataset_id(g._dataset_id)._source == "s"
        with pytest.raises(NotFound):
            self.client(server, "eve").from_dataset_id(g._dataset_id)
        private = ann.edges(edges, "s", "d").privacy("private").upload()
        with pytest.raises(NotFound):
            self.client(server, "bob").from_dataset_id(private._dataset_id)

    def test_an_invitation_goes_by_email(self, server):
        edges = pd.DataFrame({"s": [1], "d": [2]})
        invited = [{"email": "ann@example.com", "action": "10"}]
        g = self.client(server, "eve").edges(edges, "s", "d").privacy("private", invited_users=invited).upload()
        assert self.client(server, "ann").from_dataset_id(g._dataset_id)._source == "s"
        with pytest.raises(NotFound):
            self.client(server, "bob").from_dataset_id(g._dataset_id)

    def test_a_personal_key_is_its_owners(self, server):
        where = {k: server.register_kwargs[k] for k in ("server", "protocol")}
        client = GraphistryClient().register(personal_key_id="k1", personal_key_secret="s1", **where)
        assert client.session.username == "ann"
        for wrong in (("k1", "s2"), ("k2", "s1")):
            with pytest.raises(InvalidCredentials):
                GraphistryClient().register(personal_key_id=wrong[0], personal_key_secret=wrong[1], **where)

    def test_flags_are_each_users_own(self, server):
        edges = pd.DataFrame({"s": [1], "d": [2]})
        assert self.client(server, "ann").edges(edges, "s", "d").python_remote_json(TASK["execute"]) == {"n": 1}
        with pytest.raises(Exception, match="flag_python_endpoint_enabled_users"):
            self.client(server, "bob").edges(edges, "s", "d").python_remote_json(TASK["execute"])

    def test_a_dataset_may_not_carry_a_foreign_organization(self, server):
        api = Api(server, "eve", "pw-eve")
        api.refused(403, "POST", "/api/v2/upload/datasets/", "acme", json={"org_name": "acme"})
        api.refused(403, "POST", "/api/v2/files/", "acme", json={"org_name": "acme"})

    @pytest.mark.parametrize("claims", ['{"username": []}', '{"username": {}}', '{"username": 5}', "[]", "5", "{}"])
    def test_tokens_with_odd_claims_are_401(self, server, claims):
        parts = (base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in ('{"alg": "HS256"}', claims))
        token = ".".join([*parts, "AAAA"])
        api = Api(server, "ann", "pw-ann")
        api.refused(401, "GET", "/api/v2/datasets/", token=token)
        api.refused(401, "POST", "/api/v2/auth/token/refresh", json={"token": token}, token="")

    def test_secrets_are_in_no_repr(self):
        assert "pw-ann" not in repr(USERS["ann"])
        assert "s1" not in repr(USERS["ann"])


class TestConfiguration:
    def load(self, tmp_path, text):
        path = tmp_path / "server.toml"
        path.write_text(text)
        return load(path)

    def test_everything_in_one_file(self, tmp_path):
        config = self.load(
            tmp_path,
            """
            [server]
            port = 0
            max_upload_mb = 10
            [flags]
            flag_gfql_endpoint = false
            [users.ann]
            password = "pw"
            email = "ann@example.com"
            organizations = ["acme"]
            keys = { k1 = "s1" }
            flags = { flag_python_endpoint_disabled = true }
            [users]
            bob = "pw-bob"
            """,
        )
        assert config.options == {"port": 0, "max_upload_mb": 10}
        assert config.flags == {"flag_gfql_endpoint": False}
        assert config.users["bob"] == User("pw-bob")
        assert config.users["ann"].keys == {"k1": "s1"}

    @pytest.mark.parametrize(
        ("text", "setting"),
        [
            ("[server]\nport = 'x'", "server.port"),
            ("[server]\nport = true", "server.port"),
            ("[server]\nprot = 1", "server.prot"),
            ("[flags]\nflag_x = true", "flags.flag_x"),
            ("[flags]\nflag_gfql_endpoint = 1", "flags.flag_gfql_endpoint"),
            ("[users.ann]\nemail = 'x'", "users.ann.password"),
            ("[users.ann]\npassword = 1", "users.ann.password"),
            ("[users.ann]\npassword = 'x'\norganisations = []", "users.ann.organisations"),
            ("[users]\nann = 3", "users.ann"),
            ("[more]\nx = 1", "more"),
            ("[", "TOML"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path, text, setting):
        with pytest.raises(ConfigError, match=re.escape(setting)):
            self.load(tmp_path, text)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load(tmp_path / "gone.toml")
