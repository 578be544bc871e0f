"""The dev server's pages for people: datasets, tasks, the journal as it grows, and what tests switch. Plain HTML forms.

A person logs in as a browser does. Datasets and tasks are that user's own; the journal and the switches are for browsers
on the server's own machine, as the control side is. Its own requests are not in the journal, but what it runs is. May
import errors, messages, wire, browser, the hub and the control side.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from . import browser, wire
from .dev import Dev, Entry
from .dev.loopback import require_local
from .errors import AccessDenied, BadRequest, GraphistryError, NotFound
from .messages import Auth, HttpRequest, HttpResponse
from .wire.routes import CSRF_COOKIE, SESSION_COOKIE

PREFIX = "/dashboard"
_HTML = "text/html; charset=utf-8"
_SHOWN = 100
_TEXT = 20_000  # characters of a result, source or log on a page
_EXAMPLE = "def task(g):\n    return {'nodes': 0 if g._nodes is None else len(g._nodes), 'edges': len(g._edges)}\n"
_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); --soft: color-mix(in srgb, currentColor 6%, transparent) }
* { box-sizing: border-box } body { font: 14px/1.5 system-ui, sans-serif; margin: 0; background: #fff; color: #1d2433 } a { color: #1a56c4 }
@media (prefers-color-scheme: dark) { body { background: #12151c; color: #e8ebf1 } a { color: #8ab4ff } }
header { display: flex; gap: 1.5rem; align-items: baseline; flex-wrap: wrap; padding: .6rem 1.2rem; border-bottom: 1px solid var(--line) }
header b { font-size: 1rem } nav { display: flex; gap: 1rem; flex: 1 } nav a[aria-current] { font-weight: 600; text-decoration: none; color: inherit }
main { padding: 1rem 1.2rem; max-width: 78rem } h1 { font-size: 1.3rem; margin: .2rem 0 1rem } h2 { font-size: 1rem; margin: 1.6rem 0 .5rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td { overflow-wrap: anywhere } .bad { font-weight: 600 } .quiet { opacity: .75 } .wide { overflow-x: auto }
pre { background: var(--soft); padding: .7rem; overflow: auto; max-height: 28rem; border-radius: 4px; white-space: pre-wrap; overflow-wrap: anywhere }
textarea { width: 100%; min-height: 14rem; font: 13px/1.5 ui-monospace, monospace; tab-size: 4 }
input, select, button, textarea { font: inherit; padding: .25rem .5rem } button { min-height: 2rem; cursor: pointer } textarea { font-family: ui-monospace, monospace }
form.row { display: flex; gap: .8rem; flex-wrap: wrap; align-items: end } form.row label { display: grid; font-size: .85rem } form.one { display: inline }
[role=alert], [role=status] { padding: .6rem .8rem; background: var(--soft); border-left: 4px solid; border-radius: 2px }
:focus-visible { outline: 2px solid Highlight; outline-offset: 2px }
"""
# Asks for new rows every second; without scripts the page is as it was when it was loaded.
_LIVE = """
const body = document.querySelector("tbody"), pause = document.querySelector("#pause");
pause.hidden = false;
pause.onclick = () => pause.setAttribute("aria-pressed", String(pause.getAttribute("aria-pressed") !== "true"));
setInterval(async () => {
  if (pause.getAttribute("aria-pressed") === "true" || document.hidden || body.contains(document.activeElement)) return;
  const answer = await fetch(location.href, {headers: {"x-rows": "1"}}).catch(() => null);
  if (answer && answer.ok) { const text = await answer.text(); if (text !== body.innerHTML) body.innerHTML = text; }
}, 1000);
"""


def is_dashboard(path: str) -> bool:
    """Say whether a path is one of these pages."""
    return path in ("/", PREFIX) or path.startswith(f"{PREFIX}/")


class Dashboard:
    """Answers the pages. ``handle`` is what carries out a request as if it had come from outside."""

    def __init__(self, dev: Dev, handle: Callable[[HttpRequest], HttpResponse]) -> None:
        self.dev, self.hub, self.handle = dev, dev.hub, handle

    def answer(self, http: HttpRequest) -> HttpResponse:
        """Answer one request; never raises for what it holds."""
        visit = _Visit(http)
        try:
            visit.user = self.hub.caller(visit.auth).username
        except GraphistryError:
            return browser.redirect(
                f"{browser.LOGIN_PATH}?{urlencode({'next': http.path if http.method == 'GET' else '/'})}"
            )
        try:
            if http.method == "POST":
                return self._change(visit)
            if http.method not in ("GET", "HEAD"):
                raise NotFound("There are only pages to read and forms to send here.")
            return self._page(visit)
        except GraphistryError as e:
            return visit.html(
                "It did not work", f'<p role=alert>{escape(e.message)}</p><p><a href="/">Datasets</a></p>', e.status
            )

    # --- pages ---

    def _page(self, visit: _Visit) -> HttpResponse:
        match visit.parts:
            case []:
                return self._datasets(visit)
            case ["datasets", dataset_id]:
                return self._dataset(visit, dataset_id)
            case ["tasks"]:
                return self._tasks(visit)
            case ["entries", number]:
                return self._entry(visit, number)
            case ["journal"]:
                return self._journal(visit)
            case ["switches"]:
                return self._switches(visit)
        raise NotFound(f"There is no page {visit.http.path!r}.")

    def _datasets(self, visit: _Visit) -> HttpResponse:
        page = self.hub.call(wire.DatasetList(_SHOWN, 0, ""), visit.auth)
        rows = [
            [
                _link(f"{PREFIX}/datasets/{row['dataset_id']}", row.get("name") or "Untitled"),
                _number(row.get("node_count")),
                _number(row.get("edge_count")),
                escape(str(row.get("mode"))),
                _time(row.get("created_at")),
                _link(_viewer(row["dataset_id"]), "Open", f"Open {row.get('name')}"),
            ]
            for row in page.results
        ]
        body = _table(["Name", "Nodes", "Edges", "Seen by", "Made", "Picture"], rows)
        more = f"<p class=quiet>The newest {_SHOWN} of {page.count:,}.</p>" if page.count > _SHOWN else ""
        return visit.html("Datasets", (body if rows else "<p>No dataset yet: plot() or upload() makes one.</p>") + more)

    def _dataset(
        self, visit: _Visit, dataset_id: str, source: str = _EXAMPLE, ran: str = "", engine: str = "pandas"
    ) -> HttpResponse:
        record = self.hub.call(wire.DatasetGet(dataset_id), visit.auth).data
        bindings = [
            [escape(which), escape(name), escape(str(column))]
            for which in ("node", "edge")
            for name, column in ((record.get(f"{which}_encodings") or {}).get("bindings") or {}).items()
        ]
        body = [
            f"<p>{_number(record.get('node_count'))} nodes, {_number(record.get('edge_count'))} edges · {_link(_viewer(dataset_id), 'Open the picture')} · dataset {escape(dataset_id)}</p>",
            ran,
            f"<h2>Run a task</h2>{self._runner(visit, dataset_id, source, engine)}",
            f"<h2>Bindings</h2>{_table(['Of', 'Name', 'Column'], bindings)}",
            f"<h2>What the client sent</h2>{_pre(json.dumps(record, indent=2, default=str))}",
            f"<h2>Delete</h2>{visit.form('delete', 'Delete this dataset', dataset_id=dataset_id)}",
        ]
        return visit.html(str(record.get("name") or "Untitled"), "".join(body))

    def _runner(self, visit: _Visit, dataset_id: str, source: str, engine: str = "pandas") -> str:
        options = "".join(
            f"<option{' selected' if one == engine else ''}>{one}</option>" for one in ("pandas", "cudf", "auto")
        )
        return (
            f"<form method=post action={PREFIX}/run>{visit.token()}"
            f'<p><label>Dataset<br><input name=dataset_id value="{escape(dataset_id)}" size=40 required></label></p>'
            f"<p><label>Source<br><textarea name=source spellcheck=false required>{escape(source)}</textarea></label></p>"
            f"<p><label>Engine <select name=engine>{options}</select></label> <button>Run</button></p></form>"
        )

    def _tasks(self, visit: _Visit) -> HttpResponse:
        entries = [entry for entry in self.dev.journal if entry.task is not None and entry.user == visit.user]
        rows = [_task_row(entry) for entry in reversed(entries[-_SHOWN:])]
        table = _table(["When", "Dataset", "Engine", "Took", "What became of it"], rows)
        return visit.html("Tasks", table if rows else "<p>No task has run since the server started.</p>")

    def _entry(self, visit: _Visit, number: str) -> HttpResponse:
        entry = next((entry for entry in self.dev.journal if str(entry.number) == number), None)
        if entry is None or (entry.user != visit.user and not _is_local(visit.http)):
            raise NotFound(f"There is no request {number!r} in the journal any more.")
        parts = [
            f"<p>{_time(entry.time)} · {escape(entry.method)} {escape(entry.path)} · {_status(entry)} · {_took(entry.duration_s)}</p>"
        ]
        if entry.error is not None:
            parts.append(f"<p role=status>{escape(entry.error['message'])}</p>")
        if entry.task is not None:
            for title, name in (("Traceback", "traceback"), ("Logs", "logs")):
                if entry.task[name]:
                    parts.append(f"<h2>{title}</h2>{_pre(entry.task[name])}")
            parts.append(
                f"<h2>Edit and run again</h2>{self._runner(visit, _dataset_of(entry), entry.task['source'], entry.task['engine'])}"
            )
        plain = {name: value for name, value in entry.to_dict().items() if name != "task"}
        parts.append(f"<h2>The request</h2>{_pre(json.dumps(plain, indent=2, default=str))}")
        return visit.html(f"{entry.operation} {entry.number}", "".join(parts))

    def _journal(self, visit: _Visit) -> HttpResponse:
        require_local(visit.http)
        rows = [_journal_row(entry) for entry in reversed(self.dev.journal.entries[-_SHOWN:])]
        if visit.http.headers.get("x-rows"):
            return HttpResponse(200, "".join(map(_row, rows)).encode(), _HTML)
        body = "<p><button id=pause aria-pressed=false hidden>Pause</button></p>" + _table(
            ["", "When", "User", "Request", "Status", "Took", "Said"], rows
        )
        return visit.html("Journal", body, script=_LIVE)

    def _switches(self, visit: _Visit) -> HttpResponse:
        require_local(visit.http)
        clock, now = self.dev.clock, datetime.fromtimestamp(self.dev.clock.now(), UTC)
        faults = [
            [
                escape(fault.operation),
                escape(_said(fault.to_dict())),
                str(fault.hits),
                visit.form("unfault", "Take away", id=fault.id),
            ]
            for fault in self.dev.faults.list()
        ]
        names = "".join(
            f"<option>{escape(kind.operation)}</option>"
            for kind in sorted(wire.OPERATIONS, key=lambda kind: kind.operation)
        )
        add = (
            f"<form class=row method=post action={PREFIX}/fault>{visit.token()}"
            f"<label>Operation<select name=operation><option value=*>all</option>{names}</select></label>"
            "<label>Status<input name=status type=number min=400 max=599 placeholder=none></label>"
            "<label>Wait, seconds<input name=latency_s type=number min=0 step=0.1 placeholder=0></label>"
            "<label>Effect<select name=effect><option value=''>none</option><option>html</option><option>drop</option><option>truncate</option></select></label>"
            "<label>Times<input name=times type=number min=1 placeholder=always></label><button>Add</button></form>"
        )
        flags = [
            [
                escape(name),
                "on" if on else "off",
                visit.form("flag", f"Turn {'off' if on else 'on'} {name}", name=name, on="" if on else "1"),
            ]
            for name, on in self.dev.flags.get().items()
        ]
        body = [
            f"<h2>Faults</h2>{_table(['Operation', 'What happens', 'Hits', ''], faults) if faults else '<p>None.</p>'}{add}",
            f"<h2>Clock</h2><p>{now:%Y-%m-%d %H:%M:%S} UTC{', stands still' if clock.frozen else ''}</p><p>",
            visit.form("clock", "Go on" if clock.frozen else "Stop", what="unfreeze" if clock.frozen else "freeze"),
            " ",
            visit.form("clock", "An hour later", what="hour"),
            " ",
            visit.form("clock", "As it is", what="reset"),
            f"</p><h2>Flags</h2>{_table(['Flag', 'Is', ''], flags)}",
            f"<h2>All data</h2>{visit.form('reset', 'Begin anew: forget datasets, journal and faults')}",
        ]
        return visit.html("Switches", "".join(body))

    # --- forms ---

    def _change(self, visit: _Visit) -> HttpResponse:
        form = visit.checked_form()
        match visit.parts:
            case ["run"]:
                return self._run(visit, form)
            case ["delete"]:
                self.hub.call(wire.DatasetDelete(form.get("dataset_id", "")), visit.auth)
                return browser.redirect("/")
        require_local(visit.http)
        match visit.parts:
            case ["fault"]:
                self.dev.faults.add(form.get("operation", "*"), **_fault_options(form))
            case ["unfault"]:
                self.dev.faults.remove(_whole(form.get("id", "")))
            case ["clock"]:
                self._set_clock(form.get("what", ""))
            case ["flag"]:
                self.dev.flags.update({form.get("name", ""): bool(form.get("on"))})
            case ["reset"]:
                self.dev.reset()
                return browser.redirect("/")
            case _:
                raise NotFound(f"There is no form {visit.http.path!r}.")
        return browser.redirect(f"{PREFIX}/switches")

    def _run(self, visit: _Visit, form: Mapping[str, str]) -> HttpResponse:
        """Run a task as a client would: by the endpoint, with the faults and limits that it has, and in the journal."""
        dataset_id, source = form.get("dataset_id", ""), form.get("source", "").replace("\r\n", "\n")
        request = wire.Python(dataset_id, source, form.get("engine", "pandas")).encode()
        asked = wire.with_auth(request, visit.auth)
        headers = {name.lower(): value for name, value in asked.headers.items()} | {"user-agent": "dashboard"}
        sent = replace(asked, headers=headers, remote=visit.http.remote, gone=visit.http.gone)
        answer = self.handle(sent)
        mine = [e for e in self.dev.journal.find("python", user=visit.user) if e.agent == "dashboard"]
        found = f" · {_link(f'{PREFIX}/entries/{mine[-1].number}', 'Source, logs and traceback')}" if mine else ""
        kind = "status" if answer.status == 200 else "alert"
        said = f"<h2>Result</h2><p role={kind}>{answer.status}{found}</p>{_pre(_readable(answer))}"
        try:
            return self._dataset(visit, dataset_id, source, said, form.get("engine", "pandas"))
        except GraphistryError as e:
            return visit.html("Tasks", f"<p role=alert>{escape(e.message)}</p>", e.status)

    def _set_clock(self, what: str) -> None:
        clock = self.dev.clock
        known = {
            "freeze": lambda: clock.freeze(None),
            "unfreeze": clock.unfreeze,
            "hour": lambda: clock.advance(3600),
            "reset": clock.reset,
        }
        if what not in known:
            raise BadRequest(f"The clock cannot {what!r}.")
        known[what]()


class _Visit:
    """One request: who asks, and what pages and forms need of him."""

    def __init__(self, http: HttpRequest) -> None:
        self.http = http
        cookies = browser.cookies_of(http)
        self.auth = Auth("bearer", token=cookies.get(SESSION_COOKIE, "")) if cookies.get(SESSION_COOKIE) else Auth()
        self.csrf = cookies.get(CSRF_COOKIE, "")
        self.parts = [part for part in http.path.removeprefix(PREFIX).split("/") if part]
        self.user: str | None = None

    def checked_form(self) -> dict[str, str]:
        """Return the fields of a form that this browser was given; raise AccessDenied for another's."""
        form = {name: values[-1] for name, values in parse_qs(self.http.read().decode("utf-8", "replace")).items()}
        if not browser.same(form.get("csrfmiddlewaretoken", ""), self.csrf):
            raise AccessDenied("This form was not opened in this browser: go back and load the page again.")
        return form

    def token(self) -> str:
        """Return the hidden field that a form of this browser has."""
        return f'<input type=hidden name=csrfmiddlewaretoken value="{escape(self.csrf)}">'

    def form(self, action: str, button: str, **hidden: Any) -> str:
        """Return a form of one button."""
        fields = "".join(
            f'<input type=hidden name={name} value="{escape(str(value))}">' for name, value in hidden.items()
        )
        return f"<form class=one method=post action={PREFIX}/{action}>{self.token()}{fields}<button>{escape(button)}</button></form>"

    def html(self, title: str, body: str, status: int = 200, script: str = "") -> HttpResponse:
        """Return a whole page."""
        nonce = secrets.token_urlsafe(12)
        pages = {
            "/": "Datasets",
            f"{PREFIX}/tasks": "Tasks",
            f"{PREFIX}/journal": "Journal",
            f"{PREFIX}/switches": "Switches",
        }
        links = "".join(
            f'<a href="{path}"{" aria-current=page" if path == self.http.path else ""}>{name}</a>'
            for path, name in pages.items()
        )
        run = f'<script nonce="{nonce}">{script}</script>' if script else ""
        page = (
            f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(title)}</title>"
            f"<link rel=icon href=/graph/static/favicon.svg><style>{_STYLE}</style><header><b>graphistry-core</b><nav aria-label=Pages>{links}</nav>"
            f'<span>{escape(self.user or "")} · <a href="{browser.LOGOUT_PATH}">Log out</a></span></header><main><h1>{escape(title)}</h1>{body}</main>{run}</html>'
        )
        policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; connect-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        return HttpResponse(
            status,
            page.encode("utf-8", "replace"),
            _HTML,
            {"Content-Security-Policy": policy, "Cache-Control": "no-store"},
        )


def _is_local(http: HttpRequest) -> bool:
    try:
        require_local(http)
    except AccessDenied:
        return False
    return True


def _viewer(dataset_id: str) -> str:
    return f"{wire.VIEWER_PATH}?dataset={quote(dataset_id)}"


def _dataset_of(entry: Entry) -> str:
    return entry.path.split("/")[4] if entry.path.count("/") > 4 else ""


def _task_row(entry: Entry) -> list[str]:
    assert entry.task is not None
    said = entry.error["message"] if entry.error else "done"
    became = f"{_status(entry)} {escape(said[:200])}"
    dataset_id = _dataset_of(entry)
    return [
        _link(f"{PREFIX}/entries/{entry.number}", _time(entry.time)),
        _link(f"{PREFIX}/datasets/{dataset_id}", dataset_id[:8]),
        escape(str(entry.task["engine"])),
        _took(entry.task["duration_s"]),
        became,
    ]


def _journal_row(entry: Entry) -> list[str]:
    said = entry.error["message"] if entry.error else ""
    fault = f" (fault {entry.fault})" if entry.fault is not None else ""
    return [
        _link(f"{PREFIX}/entries/{entry.number}", str(entry.number)),
        _time(entry.time),
        escape(entry.user or ""),
        f"{escape(entry.operation)} <span class=quiet>{escape(entry.method)} {escape(entry.path[:120])}</span>",
        _status(entry),
        _took(entry.duration_s),
        escape(said[:200] + fault),
    ]


def _fault_options(form: Mapping[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {"effect": form.get("effect", "")}
    for name in ("status", "times"):
        if form.get(name):
            options[name] = _whole(form[name])
    if form.get("latency_s"):
        try:
            options["latency_s"] = float(form["latency_s"])
        except ValueError:
            raise BadRequest("The wait is a number of seconds.") from None
    return options


def _whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise BadRequest(f"{text!r} is no whole number.")
    return int(text)


def _said(fault: Mapping[str, Any]) -> str:
    names = ("status", "latency_s", "effect", "times", "nth", "user", "probability")
    plain = {"probability": 1.0}
    return (
        ", ".join(f"{name} {fault[name]}" for name in names if fault.get(name) and fault[name] != plain.get(name))
        or "nothing"
    )


def _status(entry: Entry) -> str:
    return f"<span{' class=bad' if entry.status >= 400 else ''}>{entry.status}</span>"


def _took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"


def _time(text: Any) -> str:
    return escape(str(text or "")[:19].replace("T", " "))


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "–"


def _link(href: str, text: str, label: str = "") -> str:
    spoken = f' aria-label="{escape(label)}"' if label else ""
    return f'<a href="{escape(href)}"{spoken}>{escape(text)}</a>'


def _pre(text: str) -> str:
    cut = f"\n… and {len(text) - _TEXT:,} characters more" if len(text) > _TEXT else ""
    return f"<pre tabindex=0>{escape(text[:_TEXT] + cut)}</pre>"


def _readable(answer: HttpResponse) -> str:
    if answer.content_type.startswith(("application/json", "text/")):
        text = answer.body.decode("utf-8", "replace")
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except ValueError:
            return text
    return f"{len(answer.body):,} bytes of {answer.content_type}"


def _row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _table(head: list[str], rows: list[list[str]]) -> str:
    titles = "".join(f"<th scope=col>{escape(name)}</th>" if name else "<td></td>" for name in head)
    return f"<div class=wide tabindex=0 role=region aria-label=Table><table><thead><tr>{titles}</tr></thead><tbody>{''.join(map(_row, rows))}</tbody></table></div>"
