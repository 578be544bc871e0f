"""The dev server's pages for people, in a real browser and over plain HTTP."""

from __future__ import annotations

import re

import pandas as pd
import pytest
import requests
from real_browser import Page, chromium, follow, in_a_browser, serious, server, viewer  # noqa: F401

import graphistry_core

pytestmark = in_a_browser

BROKEN = "def task(g):\n    print('looking at', len(g._edges), 'edges')\n    return float(g._edges['amount'].sum())\n"


def _dataset(server):
    client = graphistry_core.client()
    client.register(**server.register_kwargs)
    edges = pd.DataFrame({"s": ["a", "b"], "d": ["b", "c"], "value": [1.5, 2.0]})
    return client.edges(edges, "s", "d").name("Payments").upload()


def _log_in(page, server, path="/"):
    page.goto(server.url + path)
    page.get_by_label("User name").fill(server.register_kwargs["username"])
    page.get_by_label("Password").fill(server.register_kwargs["password"])
    follow(page.get_by_role("button", name="Log in"))


def test_from_a_failed_task_to_a_fault_in_the_journal(viewer, server):
    graph, page = _dataset(server), viewer.page
    with pytest.raises(graphistry_core.errors.TaskFailed):
        graph.python_remote_json(BROKEN)
    _log_in(page, server)
    assert "Payments" in page.locator("tbody").inner_text()
    follow(page.get_by_role("link", name="Tasks"))
    assert "KeyError: 'amount'" in page.locator("tbody tr").first.inner_text()
    follow(page.locator("tbody a").first)
    text = page.locator("main").inner_text()
    assert "return float(g._edges['amount'].sum())" in text
    assert "looking at 2 edges" in text
    source = page.get_by_label("Source")
    assert source.input_value().strip() == BROKEN.strip()
    source.fill(BROKEN.replace("'amount'", "'value'"))
    follow(page.get_by_role("button", name="Run"))
    assert page.get_by_role("status").inner_text().startswith("200")
    assert page.locator("pre").first.inner_text() == "3.5"
    follow(page.get_by_role("link", name="Switches"))
    page.get_by_label("Operation").select_option("python")
    page.get_by_label("Status").fill("503")
    page.get_by_label("Times").fill("1")
    follow(page.get_by_role("button", name="Add"))
    assert "status 503, times 1" in page.locator("table").first.inner_text()
    follow(page.get_by_role("link", name="Journal"))
    with pytest.raises(graphistry_core.errors.GraphistryError):
        graph.python_remote_json("def task(g): return 1")
    page.get_by_text("(fault 1)").wait_for()  # the page shows it by itself
    row = page.locator("tbody tr", has_text="(fault 1)").inner_text()
    assert "python" in row
    assert "503" in row


def test_datasets_are_seen_opened_and_deleted(viewer, server):
    graph, page = _dataset(server), viewer.page
    _log_in(page, server)
    follow(page.get_by_role("link", name="Open Payments"))
    viewer.wait("window.graphistry && graphistry.ready")
    assert viewer.state()["edges"] == 2
    page.go_back()
    follow(page.get_by_role("link", name="Payments", exact=True))
    assert '"dataset_id"' in page.locator("pre").last.inner_text()
    assert "source" in page.locator("table").inner_text()
    follow(page.get_by_role("button", name="Delete this dataset"))
    assert "No dataset yet" in page.locator("main").inner_text()
    with pytest.raises(graphistry_core.errors.GraphistryError):
        graph.python_remote_json("def task(g): return 1")


def test_switches(viewer, server):
    page = viewer.page
    _log_in(page, server, "/dashboard/switches")
    before = server.dev.clock.now()
    follow(page.get_by_role("button", name="An hour later"))
    assert 3500 < server.dev.clock.now() - before < 3700
    # The token is an hour old now: the browser has to log in again, as a client would.
    assert page.url.startswith(server.url + "/accounts/login/")
    server.dev.clock.reset()
    page.goto(server.url + "/dashboard/switches")
    follow(page.get_by_role("button", name="Stop"))
    assert server.dev.clock.frozen
    follow(page.get_by_role("button", name="Go on"))
    assert not server.dev.clock.frozen
    name = next(iter(server.dev.flags.get()))
    on = server.dev.flags.get()[name]
    follow(page.get_by_role("button", name=f"Turn {'off' if on else 'on'} {name}"))
    assert server.dev.flags.get()[name] is not on
    server.dev.faults.add("python", latency_s=0.1)
    page.reload()
    follow(page.get_by_role("button", name="Take away"))
    assert server.dev.faults.list() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(viewer, server, scheme):
    graph, page = _dataset(server), viewer.page
    with pytest.raises(graphistry_core.errors.TaskFailed):
        graph.python_remote_json(BROKEN)
    number = server.dev.journal.last.number
    page.emulate_media(color_scheme=scheme)
    _log_in(page, server)
    paths = (
        "/",
        f"/dashboard/datasets/{graph._dataset_id}",
        "/dashboard/tasks",
        f"/dashboard/entries/{number}",
        "/dashboard/journal",
    )
    for path in (*paths, "/dashboard/switches"):
        page.goto(server.url + path)
        assert (path, serious(page)) == (path, [])


# --- over plain HTTP ---


def _session(server, username="ann"):
    session = requests.Session()
    form = session.get(server.url + "/accounts/login/", timeout=9).text
    csrf = re.search(r'csrfmiddlewaretoken value="([^"]*)"', form)[1]
    fields = {"csrfmiddlewaretoken": csrf, "username": username, "password": "pw"}
    session.post(server.url + "/accounts/login/", fields, timeout=9)
    return session, csrf


def test_nothing_is_shown_or_changed_without_a_login_and_the_forms_own_token(server):
    for path in ("/", "/dashboard/journal", "/dashboard/switches", "/dashboard/nothing"):
        answer = requests.get(server.url + path, allow_redirects=False, timeout=9)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/accounts/login/")
    session, csrf = _session(server)
    for fields in ({}, {"csrfmiddlewaretoken": "x"}):
        assert session.post(server.url + "/dashboard/reset", fields, timeout=9).status_code == 403
    other = {"csrfmiddlewaretoken": csrf, "operation": "python"}
    answer = session.post(server.url + "/dashboard/fault", other, headers={"Origin": "http://evil.example"}, timeout=9)
    assert answer.status_code == 403
    assert server.dev.faults.list() == []
    assert session.get(server.url + "/dashboard/nothing", timeout=9).status_code == 404


def test_users_see_their_own_datasets_and_tasks(server):
    graph = _dataset(server)
    graph.python_remote_json("def task(g): return 'mine'")
    session, csrf = _session(server, "somebody-else")
    assert "Payments" not in session.get(server.url + "/", timeout=9).text
    assert graph._dataset_id not in session.get(server.url + "/dashboard/tasks", timeout=9).text
    fields = {"csrfmiddlewaretoken": csrf, "dataset_id": graph._dataset_id}
    assert session.post(server.url + "/dashboard/delete", fields, timeout=9).status_code == 403
    assert graph.python_remote_json("def task(g): return 1") == 1


def test_what_users_name_things_is_text(server):
    client = graphistry_core.client()
    client.register(**{**server.register_kwargs, "username": "ann", "password": "pw"})
    client.edges(pd.DataFrame({"<b>s": [1], "d": [2]}), "<b>s", "d").name("<script>alert(1)</script>").upload()
    session, _ = _session(server)
    page = session.get(server.url + "/", timeout=9)
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "script-src 'nonce-" in page.headers["Content-Security-Policy"]


def test_logging_in_leads_nowhere_else_and_logging_out_ends_the_session(server):
    session = requests.Session()
    form = session.get(server.url + "/accounts/login/", timeout=9).text
    csrf = re.search(r'csrfmiddlewaretoken value="([^"]*)"', form)[1]
    for target in ("//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "/a\r\nb"):
        fields = {"csrfmiddlewaretoken": csrf, "username": "ann", "password": "pw", "next": target}
        answer = session.post(server.url + "/accounts/login/", fields, timeout=9, allow_redirects=False)
        assert answer.headers["Location"] == "/", target
    kept = dict(session.cookies)
    assert requests.get(server.url + "/", cookies=kept, timeout=9, allow_redirects=False).status_code == 200
    session.get(server.url + "/accounts/logout/", timeout=9)
    assert requests.get(server.url + "/", cookies=kept, timeout=9, allow_redirects=False).status_code == 302
