"""The viewer in a real browser: a person's ways through it. State is read from ``window.graphistry``, never pixels."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from real_browser import Page, chromium, follow, in_a_browser, serious, server, viewer  # noqa: F401

import graphistry_core

pytestmark = in_a_browser

PEOPLE = pd.DataFrame(
    {
        "name": ["ann", "bob", "cyd", "dan", "eve", "fay"],
        "team": ["red", "red", "blue", "blue", "green", None],
        "age": [31, 45, 28, 39, 51, 62],
    }
)
CALLS = pd.DataFrame(
    {
        "from": ["ann", "ann", "bob", "cyd", "dan", "eve"],
        "to": ["bob", "cyd", "cyd", "dan", "eve", "ann"],
        "minutes": [1.5, 20.0, 3.25, 8.0, 12.0, 2.0],
    }
)


def _client(server):
    client = graphistry_core.client()
    client.register(**server.register_kwargs)
    return client


def _graph(server):
    graph = _client(server).edges(CALLS, "from", "to").nodes(PEOPLE, "name")
    colors = {"red": "#d00", "blue": "#00d", "green": "#080"}
    return graph.encode_point_color("team", categorical_mapping=colors, default_mapping="#888")


def _shown(page: Page) -> tuple[int, int]:
    state = page.state()
    return state["shownNodes"], state["shownEdges"]


def test_the_released_client_opens_a_picture(viewer, server):
    pygraphistry = pytest.importorskip("graphistry")
    client = pygraphistry.client()
    client.register(**server.register_kwargs)
    url = client.edges(CALLS, "from", "to").nodes(PEOPLE, "name").plot(render=False)
    state = viewer.open(url).state()
    assert (state["nodes"], state["edges"], state["shownNodes"], state["shownEdges"]) == (6, 6, 6, 6)
    assert state["ready"]
    assert state["error"] is None
    assert viewer.text("#counts") == "6 nodes · 6 edges"
    icon = viewer.page.locator("link[rel=icon]").get_attribute("href")
    assert viewer.page.request.get(server.url + icon).status == 200


def test_hover_click_neighbours_and_letting_go(viewer, server):
    viewer.open(_graph(server).plot(render=False))
    viewer.page.keyboard.press("n")
    viewer.wait("graphistry.selected")
    chosen = viewer.state()["selected"]
    assert "Neighbours" in viewer.page.locator("#inspector").text_content()
    # By hand: the calls of who was chosen.
    either = CALLS[(CALLS["from"] == chosen) | (CALLS["to"] == chosen)]
    others = (set(either["from"]) | set(either["to"])) - {chosen}
    names = viewer.page.locator("#inspector .entry span").all_inner_texts()
    assert set(names) == others
    viewer.page.locator("#inspector .entry").first.click()
    viewer.wait(f"graphistry.selected === {names[0]!r}")
    viewer.page.locator("#stage").focus()
    viewer.page.keyboard.press("Escape")
    assert viewer.state()["selected"] is None
    # The mouse over every part of the picture: it finds a node somewhere, tells its name, and a click chooses it.
    box = viewer.page.locator("#stage").bounding_box()
    spots = [(x, y) for y in range(20, int(box["height"]), 9) for x in range(20, int(box["width"]), 9)]
    found = next(spot for spot in spots if _hovered(viewer, box, spot))
    name = viewer.state()["hovered"]
    assert name in set(PEOPLE["name"])
    assert viewer.text("#tip b") == name
    viewer.page.mouse.click(box["x"] + found[0], box["y"] + found[1])
    assert viewer.state()["selected"] == name


def _hovered(viewer: Page, box: dict, spot: tuple[int, int]) -> bool:
    viewer.page.mouse.move(box["x"] + spot[0], box["y"] + spot[1])
    return viewer.state().get("hovered") is not None


def test_search_by_name_and_by_attribute(viewer, server):
    viewer.open(_graph(server).plot(render=False))
    viewer.page.keyboard.press("/")
    viewer.page.keyboard.type("blue")
    viewer.wait("graphistry.found === 2")
    viewer.page.locator("#search").fill("eve")
    viewer.wait("graphistry.found === 1")
    viewer.page.keyboard.press("Enter")
    viewer.wait("graphistry.selected === 'eve'")
    viewer.page.locator("#search").fill("nobody")
    viewer.wait("graphistry.found === 0")
    assert "Nothing found" in viewer.text("#found")


def test_the_legend_hides_a_category_and_its_edges(viewer, server):
    viewer.open(_graph(server).plot(render=False))
    assert viewer.page.locator("#legend .entry").all_inner_texts() == ["red\n2", "blue\n2", "green\n1", "others\n1"]
    viewer.page.locator("#legend .entry", has_text="red").click()
    hidden = set(PEOPLE.loc[PEOPLE["team"] == "red", "name"])
    left = CALLS[~CALLS["from"].isin(hidden) & ~CALLS["to"].isin(hidden)]
    assert _shown(viewer) == (4, len(left))
    assert viewer.text("#counts") == f"4 of 6 nodes · {len(left)} of 6 edges"
    viewer.page.locator("#legend .entry", has_text="red").click()
    assert _shown(viewer) == (6, 6)


def test_filters_for_nodes_and_edges(viewer, server):
    viewer.open(_graph(server).plot(render=False))
    slider = viewer.page.get_by_label("age: from")
    slider.focus()
    for _ in range(15):  # of thirty bins: the younger half of 28 to 62 goes
        viewer.page.keyboard.press("ArrowRight")
    older = set(PEOPLE.loc[PEOPLE["age"] >= 45, "name"])
    assert _shown(viewer) == (3, int((CALLS["from"].isin(older) & CALLS["to"].isin(older)).sum()))
    slider.focus()
    viewer.page.keyboard.press("Home")
    longest = viewer.page.get_by_label("minutes: from")
    longest.focus()
    viewer.page.keyboard.press("End")
    assert _shown(viewer) == (6, 1)
    bars = viewer.page.locator(".filter", has_text="minutes").locator("svg")
    box = bars.bounding_box()
    viewer.page.mouse.click(box["x"] + 5, box["y"] + 5)  # a press without a drag takes the brush away
    assert _shown(viewer) == (6, 6)


def test_the_table_sorts_pages_and_is_exported(viewer, server):
    viewer.open(_graph(server).plot(render=False))
    viewer.page.keyboard.press("t")
    table = viewer.page.locator("#table")
    assert "6 nodes, page 1 of 1" in table.inner_text()
    table.get_by_role("button", name="age").click()
    assert [row.split()[0] for row in table.locator("tbody tr").all_inner_texts()] == [
        "cyd",
        "ann",
        "dan",
        "bob",
        "eve",
        "fay",
    ]
    table.get_by_role("button", name="age").click()
    assert table.locator("tbody tr").first.inner_text().startswith("fay")
    table.get_by_role("tab", name="Edges").click()
    with viewer.page.expect_download() as saved:
        table.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(io.StringIO(Path(saved.value.path()).read_text())))
    assert rows[0] == ["from", "to", "minutes"]
    assert [(a, b, float(m)) for a, b, m in rows[1:]] == list(CALLS.itertuples(index=False, name=None))
    table.locator("tbody tr").nth(1).click()
    viewer.wait("graphistry.selected === 'ann → cyd'")
    assert "20" in viewer.text("#inspector")


def test_a_tour_with_keys_alone(viewer, server):
    viewer.open(_graph(server).plot(render=False))
    keyboard = viewer.page.keyboard
    keyboard.press("?")
    assert viewer.page.locator("dialog").is_visible()
    assert "search" in viewer.text("dialog")
    keyboard.press("Escape")
    viewer.wait("!document.querySelector('dialog').open")
    keyboard.press("l")
    assert viewer.state()["labels"] is False
    dark = viewer.state()["theme"]
    keyboard.press("d")
    assert viewer.state()["theme"] != dark
    for key in ("+", "+", "-", "ArrowLeft", "ArrowUp", "f"):
        keyboard.press(key)
    with viewer.page.expect_download() as saved:
        keyboard.press("s")
    assert Path(saved.value.path()).read_bytes().startswith(b"\x89PNG")
    seen = set()
    for _ in range(len(PEOPLE)):
        keyboard.press("n")
        seen.add(viewer.state()["selected"])
    assert seen == set(PEOPLE["name"])
    keyboard.press("h")
    assert not viewer.page.locator("#left").is_visible()
    reached = set()
    for _ in range(40):  # Tab reaches every control of the top bar that can be used
        keyboard.press("Tab")
        reached.add(viewer.page.evaluate("document.activeElement.id"))
    assert {"search", "fit", "labels", "rows", "png", "theme", "sent", "help"} <= reached


def test_what_the_client_sent_lists_what_is_not_honoured(viewer, server):
    graph = _graph(server).settings(url_params={"precisionVsSpeed": 2, "pointSize": 2, "pageTitle": "Who calls whom"})
    viewer.open(graph.plot(render=False))
    assert viewer.page.title() == "Who calls whom"
    viewer.page.keyboard.press("i")
    said = viewer.text("dialog")
    assert "does not honour: precisionVsSpeed." in said
    assert '"source": "from"' in said


def test_dark_pages_follow_the_background_that_was_asked_for(viewer, server):
    viewer.open(_graph(server).addStyle(bg={"color": "#101820"}).plot(render=False))
    assert viewer.state()["theme"] == "dark"
    viewer.open(_graph(server).settings(url_params={"bg": "#fafafa", "menu": False}).plot(render=False))
    assert viewer.state()["theme"] == "light"
    assert not viewer.page.locator("header").is_visible()


def test_each_error_says_what_to_do(viewer, server):
    viewer.allowed_errors = ("status of 404", "status of 401")
    viewer.page.goto(f"{server.url}/graph/graph.html?dataset=nothing")
    assert "Dataset not found" in viewer.text("main")
    empty = _client(server).edges(CALLS.iloc[:0], "from", "to")
    assert viewer.open(empty.plot(render=False)).state()["error"] == "The graph is empty"
    lone = _client(server).edges(CALLS.iloc[:0], "from", "to").nodes(PEOPLE, "name")
    assert viewer.open(lone.plot(render=False)).state()["error"] == "There are no edges"
    assert viewer.state()["nodes"] == 6
    client = _client(server)
    client.privacy()
    private = client.edges(CALLS, "from", "to").plot(render=False)
    viewer.page.goto(private)
    assert "private" in viewer.text("main")
    follow(viewer.page.get_by_role("link", name="Log in"))
    viewer.page.get_by_label("User name").fill(server.register_kwargs["username"])
    viewer.page.get_by_label("Password").fill(server.register_kwargs["password"])
    follow(viewer.page.get_by_role("button", name="Log in"))
    viewer.wait("window.graphistry && graphistry.ready")
    assert _shown(viewer) == (5, 6)


def test_a_dataset_that_goes_while_its_page_loads(viewer, server):
    viewer.allowed_errors = ("status of 404",)
    url = _graph(server).plot(render=False)
    viewer.page.route("**/graph/data/*/setup*", lambda route: (server.hub.reset(), route.continue_()))
    assert viewer.open(url).state()["error"] == "The dataset is gone"


def test_without_webgl2_the_picture_stands_still(viewer, server):
    viewer.page.add_init_script(
        "HTMLCanvasElement.prototype.getContext = (old => function (kind, ...rest) "
        "{ return kind === 'webgl2' ? null : old.call(this, kind, ...rest) })(HTMLCanvasElement.prototype.getContext)"
    )
    state = viewer.open(_graph(server).plot(render=False)).state()
    assert (state["ready"], state["renderer"]) == (True, "canvas")
    assert "No WebGL2" in viewer.text("#notice")


def test_the_renderer_on_a_gpu_and_its_loss(viewer, server):
    url = _graph(server).settings(url_params={"play": 0}).plot(render=False)
    viewer.allowed_errors = ("CONTEXT_LOST", "context lost")
    viewer.open(url + "&renderer=gpu")
    assert viewer.state()["renderer"] == "gpu"
    viewer.page.keyboard.press("n")
    assert viewer.state()["selected"]
    viewer.page.locator("#legend .entry", has_text="red").click()
    assert _shown(viewer)[0] == 4
    viewer.page.evaluate(
        "document.querySelector('#view canvas').getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()"
    )
    viewer.wait("graphistry.renderer === 'canvas'")
    assert "GPU was lost" in viewer.text("#notice")
    viewer.problems.clear()  # what luma.gl logs of the loss differs by version


def test_a_file_and_a_frame_need_no_server(chromium, tmp_path):
    client = graphistry_core.client()
    client.register(transport="local")
    graph = (
        client.edges(CALLS, "from", "to")
        .nodes(PEOPLE, "name")
        .encode_point_icon("team", categorical_mapping={"red": "user"})
    )
    path = tmp_path / "graph.html"
    assert graph.to_html(path) == str(path)
    url = graph.plot(render="url")
    frame_html = graph.plot(render="databricks")
    context = chromium.new_context(reduced_motion="reduce", offline=True)
    try:
        for where in (path.as_uri(), url):
            page = Page(context.new_page(), "file:///")
            state = page.open(where).state()
            assert (state["shownNodes"], state["shownEdges"], state["error"]) == (6, 6, None)
            page.page.keyboard.press("n")
            assert page.state()["selected"]
            assert page.problems == []
        page = Page(context.new_page(), "about:")
        page.page.set_content(frame_html)
        frame = page.page.frames[-1]
        page.wait("window.graphistry && graphistry.ready", frame)
        assert page.state(frame)["shownEdges"] == 6
        assert page.problems == []
    finally:
        context.close()


def test_axe_finds_nothing_serious(viewer, server):
    viewer.open(_graph(server).plot(render=False))
    for key in ("n", "t", "d"):
        viewer.page.keyboard.press(key)
        viewer.page.locator("#stage").focus()
        assert serious(viewer.page) == []


def test_collections_are_listed_and_can_be_switched_off(viewer, server):
    expr = {"type": "gfql_chain", "gfql": [{"type": "Node", "filter_dict": {"team": "red"}}]}
    graph = _graph(server).collections(
        [{"type": "set", "id": "r", "name": "The reds", "node_color": "#ff00ff", "expr": expr}]
    )
    viewer.open(graph.plot(render=False))
    entry = viewer.page.locator("#legend .entry", has_text="The reds")
    assert entry.inner_text() == "The reds\n2"
    entry.click()
    assert entry.get_attribute("aria-pressed") == "false"
    viewer.page.keyboard.press("i")
    assert "Every parameter of the URL is honoured" in viewer.text("dialog")


def test_values_are_shown_as_they_are_and_found_by_what_is_shown(viewer, server):
    nodes = pd.DataFrame({"id": [1234567, 2020], "amount": [1234567.89, 37.774929]})
    nodes["far"] = np.array(["2020-01-01", "300000-01-01"], "datetime64[s]")
    nodes["here"] = pd.to_datetime(["2026-01-01 12:00"] * 2).tz_localize("US/Pacific")
    graph = _client(server).edges(pd.DataFrame({"s": [1234567], "d": [2020]}), "s", "d").nodes(nodes, "id")
    viewer.open(graph.plot(render=False))
    viewer.page.keyboard.press("t")
    rows = viewer.page.locator("#table tbody tr").all_inner_texts()
    assert rows[0].split()[:3] == ["1234567", "1234567.89", "2020-01-01"]
    assert "37.774929" in rows[1]
    assert "2026-01-01 20:00 UTC" in rows[1]
    viewer.page.locator("#search").fill("1234567")
    viewer.wait("graphistry.found === 1")


def test_keys_keep_their_place_in_the_table_and_choices_are_announced(viewer, server):
    viewer.open(_graph(server).plot(render=False))
    viewer.page.keyboard.press("t")
    row = viewer.page.locator("#table tbody button").nth(2)
    row.focus()
    viewer.page.keyboard.press("Enter")
    assert viewer.state()["selected"] == "cyd"
    assert viewer.page.evaluate("document.activeElement.closest('tr').rowIndex") == 3
    assert viewer.page.locator("#heard").text_content() == "cyd, 3 neighbours"
    viewer.page.locator("#inspector button").first.press("Enter")
    assert viewer.page.evaluate("document.activeElement.className") == "name"
