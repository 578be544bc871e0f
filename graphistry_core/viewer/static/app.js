// Puts the page together: loads a scene, keeps what is shown and chosen, and answers every control and key.
import * as data from "data";
import * as looks from "looks";
import * as labels from "labels";
import * as panels from "panels";
import { create as createTable, download } from "table";
import { create as createCanvas } from "canvas";

const $ = (id) => document.getElementById(id);
const { count, flag, number } = data;
// What tests and curious people may read: the page's state, by name.
const report = (window.graphistry = { nodes: 0, edges: 0, shownNodes: 0, shownEdges: 0, ready: false, renderer: null, selected: null, error: null, labels: true, frames: 0 });
const HONOURED = new Set(("dataset type viztoken usertag splashAfter single_use session bg pageTitle info menu showActions showArrows showHistograms showInspector " +
  "labelBackground labelColor labelOpacity shortenLabels showLabels showLabelOnHover showLabelPropertiesOnHover pointsOfInterestMax showPointsOfInterest showPointsOfInterestLabel " +
  "edgeCurvature edgeOpacity pointOpacity pointSize pointStrokeWidth neighborhoodHighlight collections showCollections collectionsGlobalNodeColor collectionsGlobalEdgeColor play gravity scalingRatio lockedX lockedY lockedR renderer").split(" "));
const GPU_ONLY = new Set(["gravity", "scalingRatio"]);
let setup, view, renderer, table, nodeColumns = [], edgeColumns = [], filters = { nodes: [], edges: [] }, options, neighbours, hiddenNodes = new Set(), hiddenEdges = new Set(), hiddenSets = new Set(), collections = [];
const PALETTE = ["#e15759", "#4e79a7", "#59a14f", "#f28e2b", "#9c6ade", "#76b7b2"];

function fail(title, text, over) {
  report.error = title;
  $("state-title").textContent = title; $("state-text").textContent = text;
  $("progress").hidden = true; $("state").hidden = false;
  $("state").classList.toggle("over", Boolean(over));
}

async function start() {
  const progress = (got, total) => {
    $("state-text").textContent = `${(got / 1e6).toFixed(1)} MB` + (total ? ` of ${(total / 1e6).toFixed(1)} MB` : "");
    if (total) { $("progress").max = total; $("progress").value = got; }
  };
  $("state-text").textContent = "The server lays the graph out.";
  setup = await data.setup();
  document.title = data.params.get("pageTitle") || setup.style.page?.title || setup.name;
  $("name").textContent = setup.name; $("name").title = setup.description;
  const points = await data.table("points", progress), lines = await data.table("lines", progress);
  build(points, lines);
  if (flag("showCollections", true)) collections = (await data.collections()).map((one, i) => ({ ...one, color: color("", one.node_color || one.edge_color) || PALETTE[i % PALETTE.length] }));
  paint();
  theme();
  await chooseRenderer();
  $("state").hidden = true;
  refresh();
  renderer.fit();
  const [nodes, edges] = [await data.table("nodes", progress), await data.table("edges", progress)];
  attributes(nodes, edges);
  if (!setup.counts.edges && !setup.counts.nodes) fail("The graph is empty", "Its tables have no rows. Look at what the code that made it read or filtered.", true);
  else if (!setup.counts.edges) fail("There are no edges", `There are ${count(setup.counts.nodes)} nodes and no edge with both ends. Are source and destination bound to the right columns?`, true);
  report.ready = true;
}

function build(points, lines) {
  const get = (from, name) => from.getChild(name)?.toArray() ?? null;
  const x = get(points, "x") || [], y = get(points, "y") || [], n = points.numRows, m = lines.numRows;
  const positions = new Float32Array(2 * n);
  for (let i = 0; i < n; i++) { positions[2 * i] = x[i]; positions[2 * i + 1] = y[i]; }
  const sizes = get(points, "size") || new Float32Array(n);
  const pointCodes = get(points, "color"), edgeCodes = get(lines, "color");
  const ranked = Int32Array.from(sizes.keys()).sort((a, b) => sizes[b] - sizes[a] || a - b);
  view = {
    positions, sizes, ranked, order: ranked.slice().reverse(), source: get(lines, "source") || new Int32Array(0), destination: get(lines, "destination") || new Int32Array(0),
    pointCodes, edgeCodes,
    nodeAlpha: get(points, "opacity"), edgeAlpha: get(lines, "opacity"), widths: get(lines, "width"), nodeOn: new Uint8Array(n).fill(1), edgeOn: new Uint8Array(m).fill(1),
    nodeCount: n, edgeCount: m, chosen: -1, near: new Set(), scale: Math.min(10, Math.max(0.1, number("pointSize", 1))) * (n > 20000 ? 0.4 : n > 1500 ? 0.6 : n > 400 ? 0.8 : 1),
    pointOpacity: number("pointOpacity", 1), edgeOpacity: number("edgeOpacity", 1), curvature: number("edgeCurvature", 0), arrows: flag("showArrows", false), stroke: number("pointStrokeWidth", 1),
    symbols: Object.entries(setup.looks.symbols || {}).map(([kind, look]) => ({ kind, codes: get(points, kind), ...look })), background: "#fff", ink: "#000",
  };
  if (view.symbols.some((s) => s.kind === "icon")) for (let i = 0; i < n; i++) sizes[i] = Math.max(6, sizes[i] * 1.3) / view.scale;
  if (view.pointOpacity > 1) view.pointOpacity /= 100;
  if (view.edgeOpacity > 1) view.edgeOpacity /= 100;
  Object.assign(report, { nodes: setup.counts.nodes, edges: setup.counts.edges });
  const bound = setup.bindings.nodes;
  options = {
    labels: flag("showLabels", true) && flag("showPointsOfInterest", true) && flag("showPointsOfInterestLabel", true), most: Math.max(0, number("pointsOfInterestMax", 60)), opacity: number("labelOpacity", 1) > 1 ? number("labelOpacity", 1) / 100 : number("labelOpacity", 1),
    background: color("labelBackground"), color: color("labelColor"), text: (i) => short(title(i)), titled: bound.node_title || bound.node_label || setup.node,
  };
}

// Colors as the looks say, and over them those of the collections that are on, the first one on top.
function paint() {
  const { nodeOn, edgeOn, pointCodes, edgeCodes } = view, on = collections.filter((one, i) => one.nodes && !hiddenSets.has(i));
  view.colors = looks.painted(pointCodes, setup.looks.pointColor, nodeOn.length);
  view.edgeColors = edgeCodes && looks.painted(edgeCodes, setup.looks.edgeColor, edgeOn.length);
  if (!on.length) return;
  const rest = [color("collectionsGlobalNodeColor"), color("collectionsGlobalEdgeColor")];
  if (rest[0]) view.colors = looks.painted(null, { kind: "category", entries: [{ color: rest[0] }] }, nodeOn.length);
  if (rest[1]) view.edgeColors = looks.painted(null, { kind: "category", entries: [{ color: rest[1] }] }, edgeOn.length);
  for (const one of on.reverse()) {
    for (const i of one.nodes) view.colors.set(looks.bytes(color("", one.node_color) || one.color), 3 * i);
    if (!one.edge_color) continue;
    view.edgeColors ||= Uint8Array.from({ length: 3 * edgeOn.length }, (_, k) => view.colors[3 * view.source[Math.floor(k / 3)] + (k % 3)]);
    for (const e of one.edges) view.edgeColors.set(looks.bytes(color("", one.edge_color)), 3 * e);
  }
}

const color = (name, given = data.params.get(name)) => { return given ? (CSS.supports("color", given) ? given : CSS.supports("color", `#${given}`) ? `#${given}` : null) : null; };
const short = (text) => (flag("shortenLabels", true) && text.length > 28 ? text.slice(0, 27) + "…" : text);
let titles = null;
const title = (i) => (titles ? data.shown(titles, i) : "");
const tint = (i) => looks.css(view.colors.subarray(3 * i, 3 * i + 3));

function attributes(nodes, edges) {
  nodeColumns = panels.columns(nodes, setup.columns.nodes); edgeColumns = panels.columns(edges, setup.columns.edges);
  titles = nodeColumns.find((c) => c.name === options.titled) || nodeColumns.find((c) => c.name === setup.node);
  const place = $("filters"), byColor = setup.looks.pointColor, edgeLook = setup.looks.edgeColor, made = (list, which, most) => {
    const box = panels.element("div");
    for (const column of list) {
      if (filters[which].length >= most) break;
      if (which === "nodes" && column.name === setup.node) continue;
      if (which === "nodes" && byColor?.kind === "category" && column.name === byColor.column) continue;
      if (which === "edges" && edgeLook?.kind === "category" && column.name === edgeLook.column) continue;
      if (which === "edges" && [setup.bindings.edges.source, setup.bindings.edges.destination].includes(column.name)) continue;
      const one = panels.filter(box, column, changed);
      if (one) filters[which].push(one);
    }
    if (filters[which].length) place.append(panels.element("h2", { textContent: `Filter ${which}` }), box);
  };
  const shown = collections.filter((one) => one.nodes);
  if (shown.length) panels.legend($("legend"), { kind: "category", column: "Collections", entries: collections.map((one) => ({ label: one.name || one.id, color: one.color, count: one.nodes ? one.nodes.length + one.edges.length : 0 })) }, "", hiddenSets, () => { paint(); renderer.redraw(); });
  setup.notes.push(...collections.filter((one) => one.problem).map((one) => one.problem));
  panels.legend($("legend"), byColor, "", hiddenNodes, changed);
  panels.legend($("legend"), edgeLook, "edges", hiddenEdges, changed);
  if (flag("showHistograms", true)) { made([...nodeColumns].sort((a, b) => (b.name === "degree") - (a.name === "degree")), "nodes", 8); made(edgeColumns, "edges", 8); }
  table = createTable($("table"), [
    { name: "Nodes", length: view.nodeOn.length, on: () => view.nodeOn, columns: () => nodeColumns, open: choose, chosen: () => view.chosen },
    { name: "Edges", length: view.edgeOn.length, on: () => view.edgeOn, columns: () => edgeColumns, open: inspectEdge, chosen: () => -1 },
  ]);
  nothing();
  renderer.redraw();
}

function changed() {
  const { nodeOn, edgeOn, source, destination, pointCodes, edgeCodes } = view;
  const nodeFilters = filters.nodes.filter((f) => f.active()), edgeFilters = filters.edges.filter((f) => f.active());
  view.nodeCount = view.edgeCount = 0;
  for (let i = 0; i < nodeOn.length; i++) view.nodeCount += nodeOn[i] = !(pointCodes && hiddenNodes.has(pointCodes[i])) && nodeFilters.every((f) => f.keeps(i)) ? 1 : 0;
  for (let e = 0; e < edgeOn.length; e++)
    view.edgeCount += edgeOn[e] = nodeOn[source[e]] && nodeOn[destination[e]] && !(edgeCodes && hiddenEdges.has(edgeCodes[e])) && edgeFilters.every((f) => f.keeps(e)) ? 1 : 0;
  refresh();
  renderer.redraw();
  table?.draw();
}

function refresh() {
  Object.assign(report, { shownNodes: view.nodeCount, shownEdges: view.edgeCount });
  const part = (shown, drawn, all, what) => (shown < drawn ? `${count(shown)} of ${count(all)} ${what}` : `${count(all)} ${what}`);
  $("counts").textContent = `${part(view.nodeCount, view.nodeOn.length, setup.counts.nodes, "nodes")} · ${part(view.edgeCount, view.edgeOn.length, setup.counts.edges, "edges")}`;
  notice();
}

function notice() {
  const said = [];
  if (renderer?.kind === "canvas" && flag("info", true)) {
    said.push(renderer.why);
    if (renderer.drawnEdges && renderer.drawnEdges < view.edgeCount) said.push(`${count(renderer.drawnEdges)} of ${count(view.edgeCount)} edges drawn.`);
  }
  if (setup.drawn.edges < setup.counts.edges || setup.drawn.nodes < setup.counts.nodes) said.push(`A sample: ${count(setup.drawn.nodes)} of ${count(setup.counts.nodes)} nodes, ${count(setup.drawn.edges)} of ${count(setup.counts.edges)} edges.`);
  $("notice").textContent = said.filter(Boolean).join(" ");
}

// --- rendering ---

function whatDraws() {
  const asked = data.params.get("renderer");
  if (asked) return [asked, ""];
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return ["canvas", "No WebGL2 here: the server's layout stands still."];
  const named = gl.getExtension("WEBGL_debug_renderer_info"), text = String(gl.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(text) ? ["canvas", "WebGL is in software here: the server's layout stands still, and fewer edges are drawn while it moves."] : ["gpu", ""];
}

const hooks = {
  moved: () => { if (renderer) { report.frames++; report.firstPicture ??= Math.round(performance.now()); labels.draw($("overlay"), renderer, view, labelOptions(), glyphs); notice(); } },
  hover: (i, x, y) => hover(view.nodeOn[i] ? i : -1, x, y), // a GPU still finds what a filter hides
  click: (i) => (view.nodeOn[i] ? choose(i) : nothing()),
  played: () => pressed("play", false),
  lost: () => useCanvas("The GPU was lost: the picture goes on without it."),
};
const labelOptions = () => ({ ...options, color: options.color || view.ink });
const glyphs = { of: (name) => ICONS?.[name.replace(/^fa[srb]? /, "").replace(/^fa-/, "")] ?? "", redraw: () => renderer?.redraw() };
let ICONS = null;

async function chooseRenderer() {
  if (view.symbols.some((s) => s.kind === "icon" && !s.asText)) {
    const face = new FontFace("graph-icons", `url(${data.font})`);
    const names = fetch ? await import("icons").then((m) => m.default).catch(() => null) : null;
    ICONS = names;
    await face.load().then((loaded) => document.fonts.add(loaded)).catch(() => {});
  }
  const [kind, why] = whatDraws();
  if (kind !== "gpu") return useCanvas(why);
  try {
    const { create } = await import("gpu");
    renderer = await create($("view"), view, hooks);
    report.renderer = "gpu";
    const still = number("play", 5000) <= 0 || setup.placed || flag("lockedX", false) || flag("lockedY", false) || flag("lockedR", false) || matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!still) { play(true); setTimeout(() => play(false), number("play", 5000)); }
  } catch (e) {
    useCanvas(`The GPU cannot draw this (${e.message}): the server's layout stands still.`);
  }
}

function useCanvas(why) {
  try { renderer?.destroy(); } catch { /* what is lost may not end well */ }
  $("view").replaceChildren();
  renderer = createCanvas($("view"), view, hooks);
  renderer.why = why;
  report.renderer = "canvas";
  $("play").disabled = true; $("play").title = "The layout moves on a GPU only";
  refresh();
  renderer.fit();
}

function play(on) { if (renderer.kind === "gpu") { renderer.play(on); pressed("play", on); } }

function theme(dark) {
  const style = setup.style.bg || {}, given = color("bg") || (style.color && CSS.supports("color", style.color) ? style.color : null);
  if (dark === undefined) dark = given ? brightness(given) < 110 : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  pressed("theme", dark);
  const own = given && (brightness(given) < 110) === dark ? given : null;
  const read = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  view.background = own || read("--bg"); view.ink = read("--ink");
  $("stage").style.setProperty("--stage", view.background);
  report.theme = dark ? "dark" : "light";
}
const brightness = (css) => { const [r, g, b] = looks.bytes(css); return 0.3 * r + 0.6 * g + 0.1 * b; };
const pressed = (id, on) => $(id).setAttribute("aria-pressed", String(Boolean(on)));

// --- choosing ---

function adjacency() { // built when first needed: who is next to whom, by both ends
  if (neighbours) return neighbours;
  const n = view.nodeOn.length, { source, destination } = view, first = new Int32Array(n + 1);
  for (let e = 0; e < source.length; e++) { first[source[e] + 1]++; if (source[e] !== destination[e]) first[destination[e] + 1]++; }
  for (let i = 0; i < n; i++) first[i + 1] += first[i];
  const at = first.slice(), edges = new Int32Array(first[n]);
  for (let e = 0; e < source.length; e++) { edges[at[source[e]]++] = e; if (source[e] !== destination[e]) edges[at[destination[e]]++] = e; }
  return (neighbours = { first, edges });
}

function around(i) {
  const { first, edges } = adjacency(), found = new Map();
  for (let at = first[i]; at < first[i + 1]; at++) {
    const e = edges[at];
    if (!view.edgeOn[e]) continue;
    const out = view.source[e] === i, other = out ? view.destination[e] : view.source[e], seen = found.get(other);
    if (seen) { seen.times++; if (seen.way !== (out ? "→" : "←")) seen.way = "↔"; }
    else found.set(other, { node: other, way: out ? "→" : "←", color: tint(other), times: 1 });
  }
  return [...found.values()].sort((a, b) => view.sizes[b.node] - view.sizes[a.node]);
}

function choose(i) {
  const near = around(i), ways = { incoming: "←", outgoing: "→" }, only = ways[data.params.get("neighborhoodHighlight")];
  view.chosen = i;
  view.near = new Set(data.params.get("neighborhoodHighlight") === "node" ? [] : near.filter((n) => !only || n.way === only || n.way === "↔").map((n) => n.node));
  report.selected = title(i);
  document.body.classList.add("inspecting");
  panels.inspectNode($("inspector"), { title: title(i), columns: nodeColumns, row: i, color: tint(i), neighbours: near, name: title, go: (j) => { choose(j); show(j); $("inspector").querySelector(".name").focus(); } });
  renderer.redraw();
  table?.mark();
  $("heard").textContent = `${title(i)}, ${count(near.length)} neighbours`;
}

function show(i) {
  const [x, y] = renderer.place(i), box = $("stage").getBoundingClientRect();
  if (x < 20 || y < 20 || x > box.width - 20 || y > box.height - 20) renderer.goTo(i);
}

function inspectEdge(e) {
  const ends = [view.source[e], view.destination[e]].map((i) => [i, title(i)]);
  report.selected = `${ends[0][1]} → ${ends[1][1]}`;
  document.body.classList.add("inspecting");
  panels.inspectEdge($("inspector"), { from: ends[0], to: ends[1], columns: edgeColumns, row: e, go: (j) => { choose(j); show(j); } });
}

function nothing() {
  view.chosen = -1; view.near = new Set(); report.selected = null;
  panels.inspectNothing($("inspector"), "Click a node, or press N to go through them.", setup.notes);
  renderer.redraw();
  table?.mark();
}

function hover(i, x, y) {
  const tip = $("tip");
  tip.hidden = i < 0 || !titles || !flag("showLabelOnHover", true);
  report.hovered = i < 0 ? null : title(i);
  $("view").style.cursor = i < 0 ? "grab" : "pointer";
  if (tip.hidden) return;
  const more = flag("showLabelPropertiesOnHover", true) ? nodeColumns.filter((c) => c !== titles).slice(0, 6).map((c) => [c.name, data.shown(c, i)]).filter(([, v]) => v !== "") : [];
  tip.replaceChildren(panels.element("b", { textContent: title(i) }), more.map(([k, v]) => `${k}: ${v.slice(0, 60)}`).join(" · "));
  const box = $("stage").getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, box.width - tip.offsetWidth - 4))}px`;
  tip.style.top = `${y + 20 + tip.offsetHeight > box.height ? y - tip.offsetHeight - 10 : y + 16}px`;
}

function step(by) {
  const order = view.ranked.filter((i) => view.nodeOn[i]);
  if (!order.length) return;
  const at = order.indexOf(view.chosen), next = order[(at + by + order.length) % order.length];
  choose(at < 0 && by < 0 ? order[order.length - 1] : next);
  show(view.chosen);
}

function search(text) {
  const list = $("found"), wanted = text.trim().toLowerCase(), found = [];
  list.hidden = !wanted;
  if (!wanted) return found;
  const texts = [titles, ...nodeColumns.filter((c) => c !== titles && (c.kind === "text" || c.name === setup.node))].filter(Boolean);
  const fits = texts.map((c) => c.labels ? new Set(c.labels.flatMap((l, code) => (String(l).toLowerCase().includes(wanted) ? [code] : []))) : null);
  let all = 0;
  for (const i of view.ranked) {
    if (!view.nodeOn[i] || !texts.some((c, k) => (fits[k] ? fits[k].has(c.codes[i]) : data.shown(c, i).toLowerCase().includes(wanted)))) continue;
    all++;
    if (found.length < 30) found.push(i);
  }
  report.found = all;
  list.replaceChildren(panels.element("p", { textContent: all ? `${count(all)} found` : "Nothing found" }), ...found.map((i) => panels.element("li", {}, panels.element("button", { textContent: title(i), onclick: () => { list.hidden = true; choose(i); renderer.goTo(i); $("stage").focus(); } }))));
  return found;
}

async function picture() {
  const box = $("stage").getBoundingClientRect(), sheet = document.createElement("canvas");
  let source = renderer;
  if (renderer.kind !== "canvas") { // what a GPU has drawn may be gone; the same places are drawn again
    const holder = panels.element("div", { style: `position:absolute;left:-9999px;width:${box.width}px;height:${box.height}px` });
    document.body.append(holder);
    source = createCanvas(holder, view, { moved() {}, hover() {}, click() {} });
    source.fit();
  }
  source.drawNow();
  sheet.width = source.canvas.width; sheet.height = source.canvas.height;
  const context = sheet.getContext("2d");
  context.drawImage(source.canvas, 0, 0);
  context.scale(sheet.width / box.width, sheet.height / box.height);
  labels.paint(context, box.width, box.height, source, view, labelOptions(), glyphs);
  if (source !== renderer) { const holder = source.canvas.parentNode; source.destroy(); holder.remove(); }
  const blob = await new Promise((done) => sheet.toBlob(done, "image/png"));
  download(blob, `${setup.name.replace(/[^\w-]+/g, "-") || "graph"}.png`);
  report.saved = blob.size;
}

const actions = {
  "/": () => { $("search").focus(); $("search").select(); }, f: () => renderer.fit(), "+": () => renderer.zoom(1.3), "=": () => renderer.zoom(1.3), "-": () => renderer.zoom(1 / 1.3),
  l: () => { options.labels = !options.labels; pressed("labels", options.labels); report.labels = options.labels; renderer.redraw(); },
  t: () => { $("table").hidden = !$("table").hidden; pressed("rows", !$("table").hidden); table?.draw(); if (!$("table").hidden) $("table").querySelector("button")?.focus(); },
  p: () => play(!renderer.playing), d: () => { theme(document.documentElement.dataset.theme !== "dark"); renderer.redraw(); }, s: picture, "?": panels.keys,
  i: () => panels.sent(setup, [...data.params.keys()].filter((name) => !HONOURED.has(name) || (renderer.kind === "canvas" && GPU_ONLY.has(name)))), n: () => step(1), N: () => step(-1), Escape: () => { $("found").hidden = true; nothing(); },
  h: () => { const off = !$("left").hidden; $("left").hidden = $("right").hidden = off; },
  ArrowLeft: () => renderer.pan(60, 0), ArrowRight: () => renderer.pan(-60, 0), ArrowUp: () => renderer.pan(0, 60), ArrowDown: () => renderer.pan(0, -60),
};

function wire() {
  for (const [id, key] of Object.entries({ play: "p", fit: "f", labels: "l", rows: "t", png: "s", theme: "d", sent: "i", help: "?" })) { $(id).onclick = () => view && actions[key](); $(id).setAttribute("aria-keyshortcuts", key.toUpperCase()); $(id).title ||= `${$(id).getAttribute("aria-label") || $(id).textContent} (${key.toUpperCase()})`; }
  let later;
  $("search").oninput = (e) => { clearTimeout(later); later = setTimeout(() => search(e.target.value), 120); };
  $("search").onkeydown = (e) => {
    if (e.key === "Enter") { const [first] = search(e.target.value); if (first !== undefined) { choose(first); renderer.goTo(first); $("found").hidden = true; $("stage").focus(); } }
    if (e.key === "ArrowDown") { e.preventDefault(); $("found").querySelector("button")?.focus(); }
    if (e.key === "Escape") { e.target.value = ""; $("found").hidden = true; $("stage").focus(); }
    e.stopPropagation();
  };
  document.addEventListener("keydown", (e) => {
    const typing = $("dialog").open || e.target.closest("input:not([type=range])"), arrows = e.key.startsWith("Arrow");
    if (typing || e.ctrlKey || e.metaKey || e.altKey || !view || !renderer || (arrows && e.target !== $("stage") && e.target !== document.body)) return;
    const action = actions[e.key] || (e.key.length === 1 && !e.shiftKey ? actions[e.key.toLowerCase()] : null);
    if (!action) return;
    e.preventDefault();
    action();
  });
  $("found").onkeydown = (e) => { if (e.key === "Escape") { e.stopPropagation(); $("found").hidden = true; $("search").focus(); } };
  document.addEventListener("pointerdown", (e) => { if (!e.target.closest(".find")) $("found").hidden = true; });
  if (!flag("menu", true)) $("head").hidden = true;
  if (!flag("info", true)) $("counts").hidden = true;
  if (!flag("showActions", true)) document.querySelector(".tools").hidden = true;
  if (!flag("showInspector", true)) $("right").hidden = true;
}

wire();
start().catch((e) => {
  if (e instanceof data.Refused) fail(e.status === 404 ? "The dataset is gone" : e.status === 401 ? "Not logged in" : "The server refused", e.message);
  else { fail("The page could not show this graph", `${e.message}. Load the page again; if it stays so, it is a fault of the viewer.`); console.error(e); }
});
