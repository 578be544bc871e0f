"""A headless Chromium, and a page that is watched: for the tests of what people see."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from graphistry_devserver import DevServer

_WANTED = bool(os.environ.get("GRAPHISTRY_CORE_BROWSER_TESTS"))  # set where they must not be skipped
if _WANTED:
    from playwright import sync_api
else:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
in_a_browser = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None and not _WANTED, reason="no chromium on this machine"),
]


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def server():
    with DevServer() as running:
        yield running


class Page:
    """A page under watch: console errors and requests to anywhere but where it came from fail the test."""

    def __init__(self, page, allowed: str) -> None:
        self.page, self.problems, self.allowed_errors = page, [], ()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", lambda request: self._request(request, allowed))

    def _console(self, message) -> None:
        if message.type == "error" and not any(text in message.text for text in self.allowed_errors):
            self.problems.append(f"console: {message.text}")

    def _request(self, request, allowed: str) -> None:
        if not request.url.startswith((allowed, "data:", "blob:")):
            self.problems.append(f"request: {request.url}")

    def open(self, url: str, until: str = "graphistry.ready || graphistry.error") -> Page:
        self.page.goto(url)
        self.wait(f"window.graphistry && ({until})")
        return self

    def wait(self, expression: str, frame=None) -> None:
        # Not wait_for_function: that evaluates text inside the page, which its Content-Security-Policy forbids.
        end = time.monotonic() + 30
        while not (frame or self.page).evaluate(expression):
            assert time.monotonic() < end, (expression, self.state(frame), self.problems)
            time.sleep(0.02)

    def state(self, frame=None) -> dict:
        return (frame or self.page).evaluate("({...window.graphistry})")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()


@pytest.fixture
def viewer(chromium, server):
    context = chromium.new_context(viewport={"width": 1200, "height": 760}, reduced_motion="reduce")
    context.set_default_timeout(10_000)
    opened = Page(context.new_page(), server.url)
    yield opened
    context.close()
    assert opened.problems == []


def follow(target) -> None:
    """Click a link or a form's button, and wait for the page it leads to: a click alone does not."""
    with target.page.expect_navigation():
        target.click()


def serious(page) -> list:
    """Return what axe-core finds on a page that is serious or worse."""
    if _WANTED:
        from axe_playwright_python import sync_playwright as axe
    else:
        axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    bad = [one for one in found if one["impact"] in ("serious", "critical")]
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in bad]
