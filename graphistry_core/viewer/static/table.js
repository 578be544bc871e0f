// Nodes and edges as a table: sorted at a press, by the page, exported whole. It shows what the filters leave.
import { count, iso, shown } from "data";
import { element } from "panels";

const PAGE = 100;

export function create(place, tabs) {
  const state = { tab: 0, sort: null, down: false, page: 0 };
  const body = element("div", { className: "scroll", tabIndex: 0, data: { role: "region", "aria-label": "Rows" } });
  const info = element("span", { data: { role: "status" } });
  const buttons = tabs.map((tab, i) => element("button", { textContent: tab.name, onclick: () => { Object.assign(state, { tab: i, sort: null, down: false, page: 0 }); draw(); }, data: { role: "tab" } }));
  const back = element("button", { textContent: "Back", onclick: () => { if (state.page > 0) { state.page--; draw(); } } });
  const next = element("button", { textContent: "Next", onclick: () => { if (next.getAttribute("aria-disabled") !== "true") { state.page++; draw(); } } });
  const csv = element("button", { textContent: "CSV", onclick: save });
  place.append(element("div", { className: "bar" }, element("div", { data: { role: "tablist", "aria-label": "Tables" } }, ...buttons), info, back, next, csv), body);

  function rows() {
    const tab = tabs[state.tab], kept = [];
    for (let i = 0; i < tab.length; i++) if (tab.on()[i]) kept.push(i);
    if (state.sort === null) return kept;
    const by = tab.columns()[state.sort], values = new Map(kept.map((i) => [i, by.value(i)])), sign = state.down ? -1 : 1;
    return kept.sort((i, j) => {
      const a = values.get(i), b = values.get(j);
      if (a == null || b == null) return (a == null) - (b == null);
      return sign * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : Number(a) - Number(b));
    });
  }

  function draw() {
    if (place.hidden) return;
    const tab = tabs[state.tab], all = rows(), columns = tab.columns(), pages = Math.max(1, Math.ceil(all.length / PAGE));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    buttons.forEach((button, i) => button.setAttribute("aria-selected", String(i === state.tab)));
    info.textContent = `${count(all.length)} ${tab.name.toLowerCase()}, page ${state.page + 1} of ${count(pages)}`;
    back.setAttribute("aria-disabled", String(state.page === 0)); next.setAttribute("aria-disabled", String(state.page === pages - 1)); // they keep the focus
    const head = element("tr", {}, ...columns.map((column, at) => {
      const way = state.sort === at ? (state.down ? "descending" : "ascending") : "none";
      return element("th", { scope: "col", data: { "aria-sort": way } }, element("button", {
        textContent: column.name + (way === "none" ? "" : state.down ? " ↓" : " ↑"),
        onclick: () => { state.down = state.sort === at && !state.down; state.sort = at; draw(); body.querySelectorAll("thead button")[at].focus(); },
      }));
    }));
    const lines = all.slice(state.page * PAGE, state.page * PAGE + PAGE).map((i) => {
      const line = element("tr", { onclick: () => tab.open(i) }, ...columns.map((column, at) => element("td", {}, at ? shown(column, i) : element("button", { textContent: shown(column, i) || "open", title: "Inspect" }))));
      line.row = i;
      return line;
    });
    body.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...lines)));
    mark();
  }

  function mark() { // the rows stay, and with them the focus of whoever goes through them by key
    const chosen = tabs[state.tab].chosen();
    for (const line of body.querySelectorAll("tbody tr")) line.className = line.row === chosen ? "chosen" : "";
  }

  function save() {
    const tab = tabs[state.tab], columns = tab.columns();
    const cell = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const raw = (column, i) => { const v = column.value(i); return v == null ? "" : (column.kind === "time" && iso(v)?.slice(0, column.zone ? undefined : -1)) || String(v); };
    const lines = [columns.map((c) => cell(c.name)), ...rows().map((i) => columns.map((c) => cell(raw(c, i))))];
    download(new Blob([lines.map((line) => line.join(",")).join("\r\n") + "\r\n"], { type: "text/csv" }), `${tab.name.toLowerCase()}.csv`);
  }
  return { draw, mark };
}

export function download(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
