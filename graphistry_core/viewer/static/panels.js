// Legend, filters, inspector, and the dialogs. Everything is a real control, so that keys and screen readers work.
import { column, count, shown, written } from "data";

export function element(tag, properties = {}, ...children) {
  const { data, ...plain } = properties, made = Object.assign(document.createElement(tag), plain);
  for (const [name, value] of Object.entries(data || {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function legend(place, look, title, hidden, changed) {
  if (!look) return;
  place.append(element("h2", { textContent: title ? `${title}: ${look.column}` : look.column }));
  if (look.kind === "continuous") {
    place.append(
      element("div", { className: "ramp" }),
      element("div", { className: "ends" }, element("span", { textContent: written(look.min, look.of) }), element("span", { textContent: written(look.max, look.of) })),
    );
    [...place.querySelectorAll(".ramp")].at(-1).style.background = `linear-gradient(90deg, ${look.stops.join(",")})`;
    return;
  }
  toggles(place, look.entries, hidden, changed);
}

function swatch(color) {
  const made = element("i");
  made.style.background = color; // as a value: text of the dataset's is no place for more declarations
  return made;
}

// Buttons that hide a category each; the first ones are shown, the rest at a press.
function toggles(place, entries, hidden, changed, most = 14) {
  const codes = entries.map((_, code) => code).filter((code) => entries[code].count);
  const made = (code) => {
    const entry = entries[code];
    const button = element("button", { className: "entry", title: `Show or hide ${entry.label}`, data: { "aria-pressed": String(!hidden.has(code)) } },
      ...(entry.color ? [swatch(entry.color)] : []),
      element("span", { textContent: entry.label }), element("small", { textContent: count(entry.count) }));
    button.onclick = () => {
      if (!hidden.delete(code)) hidden.add(code);
      button.setAttribute("aria-pressed", String(!hidden.has(code)));
      changed();
    };
    return button;
  };
  place.append(...codes.slice(0, most).map(made));
  if (codes.length > most) {
    const more = element("button", { className: "entry", textContent: `${count(codes.length - most)} more` });
    more.onclick = () => { const rest = codes.slice(most).map(made); more.replaceWith(...rest); rest[0].focus(); };
    place.append(more);
  }
}

const BINS = 30;

// A histogram with a brush and two sliders, or toggles for a column of few texts; null for one that has neither.
export function filter(place, made, changed) {
  if (made.labels) {
    if (made.labels.length < 2 || made.labels.length > 40) return null;
    const counts = new Array(made.labels.length).fill(0);
    for (const code of made.codes) if (code >= 0) counts[code]++;
    const hidden = new Set(), box = element("div", { className: "filter" }, element("div", { className: "ends" }, element("b", { textContent: made.name })));
    const order = counts.map((_, i) => i).sort((a, b) => counts[b] - counts[a]);
    const off = new Set();
    toggles(box, order.map((i) => ({ label: made.labels[i], count: counts[i] })), hidden, () => {
      off.clear();
      for (const at of hidden) off.add(order[at]);
      changed();
    }, 6);
    place.append(box);
    return { column: made.name, active: () => off.size > 0, keeps: (i) => !off.has(made.codes[i]) };
  }
  if (!made.numbers) return null;
  const values = made.numbers();
  let low = Infinity, high = -Infinity;
  for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
  if (!(high > low) || !Number.isFinite(high - low)) return null;
  const bins = new Array(BINS).fill(0);
  for (const v of values) if (v === v) bins[Math.min(BINS - 1, Math.floor((v - low) / (high - low) * BINS))]++;
  const peak = Math.sqrt(Math.max(...bins)), ns = "http://www.w3.org/2000/svg", svg = document.createElementNS(ns, "svg");
  svg.setAttribute("class", "bars"); svg.setAttribute("viewBox", `0 0 ${BINS} 20`); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("aria-hidden", "true");
  const rects = bins.map((n, i) => {
    const rect = document.createElementNS(ns, "rect"), tall = n ? Math.max(1, Math.sqrt(n) / peak * 19) : 0;
    for (const [name, value] of Object.entries({ x: i + 0.1, width: 0.8, y: 20 - tall, height: tall, class: "in" })) rect.setAttribute(name, value);
    svg.append(rect);
    return rect;
  });
  const slider = (what, value) => element("input", { type: "range", min: 0, max: BINS, value, data: { "aria-label": `${made.name}: ${what}` } });
  const from = slider("from", 0), to = slider("to", BINS), said = element("output");
  const at = (bin) => low + (high - low) * bin / BINS;
  const range = { from: 0, to: BINS };
  const text = (v) => written(made.kind === "time" ? v : high - low > 20 ? Math.round(v) : v, made.kind);
  const update = (quiet) => {
    range.from = Math.min(Number(from.value), Number(to.value)); range.to = Math.max(Number(from.value), Number(to.value));
    if (range.from === range.to) range.to = Math.min(BINS, range.from + 1), range.from = range.to - 1;
    rects.forEach((rect, i) => rect.setAttribute("class", i >= range.from && i < range.to ? "in" : ""));
    said.textContent = `${text(at(range.from))} – ${text(at(range.to))}`;
    from.setAttribute("aria-valuetext", text(at(range.from))); to.setAttribute("aria-valuetext", text(at(range.to)));
    if (!quiet) changed();
  };
  from.oninput = to.oninput = () => update();
  let start = null;
  const bin = (e) => { const box = svg.getBoundingClientRect(); return Math.max(0, Math.min(BINS, (e.clientX - box.left) / box.width * BINS)); };
  svg.onpointerdown = (e) => { start = bin(e); svg.setPointerCapture(e.pointerId); };
  svg.onpointermove = (e) => { if (start !== null) { from.value = Math.floor(Math.min(start, bin(e))); to.value = Math.ceil(Math.max(start, bin(e))); update(); } };
  svg.onpointerup = (e) => { if (start !== null && Math.abs(bin(e) - start) < 0.2) { from.value = 0; to.value = BINS; update(); } start = null; };
  place.append(element("div", { className: "filter" }, element("div", { className: "ends" }, element("b", { textContent: made.name }), said), svg, element("div", { className: "range" }, from, to)));
  update(true);
  return {
    column: made.name,
    active: () => range.from > 0 || range.to < BINS,
    keeps: (i) => { const v = values[i]; return v >= at(range.from) && (range.to === BINS ? v <= high : v < at(range.to)); },
  };
}

export function columns(table, described) {
  return described.map((each) => column(table, each));
}

function attributes(place, made, row) {
  const list = element("dl");
  for (const one of made) {
    const text = shown(one, row);
    if (text !== "") list.append(element("dt", { textContent: one.name }), element("dd", { textContent: text }));
  }
  place.append(list);
}

export function inspectNode(place, { title, columns: made, row, color, neighbours, name, go }) {
  place.replaceChildren(element("h2", { textContent: "Node" }), element("p", { className: "name", tabIndex: -1 }, element("i", { className: "dot", style: `background:${color};display:inline-block;width:10px;height:10px;border-radius:50%;margin-right:8px` }), title));
  attributes(place, made, row);
  place.append(element("h2", { textContent: `Neighbours (${count(neighbours.length)})` }));
  for (const { node, way, color: tint, times } of neighbours.slice(0, 50)) {
    const button = element("button", { className: "entry", title: way === "→" ? "goes there" : way === "←" ? "comes from there" : "both ways" },
      element("small", { textContent: way }), element("i", { style: `background:${tint}` }), element("span", { textContent: name(node) }), element("small", { textContent: times > 1 ? `×${count(times)}` : "" }));
    button.onclick = () => go(node);
    place.append(button);
  }
  if (neighbours.length > 50) place.append(element("p", { className: "quiet", textContent: `and ${count(neighbours.length - 50)} more` }));
}

export function inspectEdge(place, { from, to, columns: made, row, go }) {
  place.replaceChildren(element("h2", { textContent: "Edge" }));
  for (const [way, [node, text]] of [["from", from], ["to", to]]) {
    const button = element("button", { className: "entry" }, element("small", { textContent: way }), element("span", { textContent: text }));
    button.onclick = () => go(node);
    place.append(button);
  }
  attributes(place, made, row);
}

export function inspectNothing(place, text, notes) {
  place.replaceChildren(element("h2", { textContent: "Inspector" }), element("p", { className: "quiet", textContent: text }));
  if (notes.length) place.append(element("h2", { textContent: "Notes" }), ...notes.map((note) => element("p", { className: "quiet", textContent: note })));
}

export function dialog(title, ...body) {
  const box = document.getElementById("dialog");
  document.getElementById("dialog-title").textContent = title;
  document.getElementById("dialog-body").replaceChildren(...body);
  box.showModal();
}

export const KEYS = [
  ["/", "search"], ["F", "fit the picture"], ["+ −", "zoom"], ["← ↑ → ↓", "move the picture"], ["N, shift N", "next node, the one before"],
  ["Esc", "let go of the node"], ["L", "labels"], ["T", "table"], ["P", "layout: run, pause"], ["D", "dark, light"], ["S", "save as PNG"],
  ["I", "what the client sent"], ["H", "hide and show the panels"], ["?", "these keys"],
];

export function keys() {
  const list = element("dl");
  for (const [key, what] of KEYS) list.append(element("dt", {}, element("kbd", { textContent: key })), element("dd", { textContent: what }));
  dialog("Keys", list);
}

export function sent(setup, ignored) {
  const text = (value) => element("pre", { textContent: JSON.stringify(value, null, 2), tabIndex: 0 });
  dialog("What the client sent",
    element("p", { textContent: ignored.length ? `Parameters of the URL that this viewer does not honour: ${ignored.join(", ")}.` : "Every parameter of the URL is honoured." }),
    element("h2", { textContent: "Bindings" }), text(setup.bindings), element("h2", { textContent: "The dataset" }), text(setup.sent));
}
