// The picture on a GPU: cosmos.gl draws, and simulates from the server's seed layout. Same interface as canvas.js.
import { Graph } from "cosmos";
import { number } from "data";

const SPACE = 8192;
const LENGTH = 10; // what the simulation wants edges to be long, in its space: the seed layout starts out at that scale

export async function create(holder, view, hooks) {
  const box = holder.appendChild(document.createElement("div"));
  const self = { kind: "gpu", playing: false, drawnEdges: view.edgeCount };
  const middle = SPACE / 2, spread = extent(view.positions);
  const factor = Math.min((SPACE * 0.3) / spread.half, LENGTH * 1.5 / (usual(view) || spread.half / 50));
  let ticks = 0, own = false; // whether a person has moved the view
  const graph = new Graph(box, {
    enableSimulation: true, spaceSize: SPACE, fitViewOnInit: false, rescalePositions: false, attribution: "",
    backgroundColor: view.background, linkOpacity: Math.min(1, 0.5 * view.edgeOpacity), pointOpacity: view.pointOpacity, scalePointsOnZoom: false, linkVisibilityMinTransparency: 1,
    curvedLinks: view.curvature > 0, linkDefaultArrows: view.arrows, renderHoveredPointRing: true, enableDrag: true,
    simulationGravity: 0.1 * number("gravity", 1), simulationRepulsion: 1.2 * number("scalingRatio", 1), simulationDecay: 4000, simulationLinkDistance: LENGTH,
    simulationFriction: 0.85, randomSeed: 1,
    onSimulationTick: () => { pull(); if (!own && ++ticks % 20 === 0) graph.fitView(0, 0.1, true); hooks.moved(); },
    onSimulationEnd: () => { self.playing = false; pull(); hooks.moved(); hooks.played(); },
    onZoom: (_, driven) => { own ||= driven; hooks.moved(); },
    onClick: (i) => hooks.click(i ?? -1),
    onMouseMove: (i, _, e) => { const at = box.getBoundingClientRect(); hooks.hover(i ?? -1, e.clientX - at.left, e.clientY - at.top); },
  });
  await graph.ready;
  box.querySelector("canvas").addEventListener("webglcontextlost", () => setTimeout(hooks.lost));

  const toSpace = (x, axis) => middle + (x - spread.center[axis]) * factor;
  function pull() { // where the simulation has moved nodes, in the units of the seed layout
    const now = graph.getPointPositions();
    for (let i = 0; i < now.length; i++) view.positions[i] = (now[i] - middle) / factor + spread.center[i % 2];
  }

  function colors() {
    const n = view.sizes.length, out = new Float32Array(4 * n);
    for (let i = 0; i < n; i++) {
      const faded = !view.nodeOn[i] ? 0 : view.chosen >= 0 && view.chosen !== i && !view.near.has(i) ? 0.2 : 1;
      for (let c = 0; c < 3; c++) out[4 * i + c] = view.colors[3 * i + c] / 255;
      out[4 * i + 3] = faded * (view.nodeAlpha ? view.nodeAlpha[i] : 1);
    }
    return out;
  }

  function edges() {
    const { source, destination } = view, links = new Float32Array(2 * view.edgeCount), tints = new Float32Array(4 * view.edgeCount), widths = new Float32Array(view.edgeCount);
    let at = 0;
    for (let e = 0; e < source.length; e++) {
      if (!view.edgeOn[e]) continue;
      const from = view.edgeColors || view.colors, c = 3 * (view.edgeColors ? e : source[e]);
      links[2 * at] = source[e]; links[2 * at + 1] = destination[e];
      for (let k = 0; k < 3; k++) tints[4 * at + k] = from[c + k] / 255;
      tints[4 * at + 3] = (view.chosen < 0 || source[e] === view.chosen || destination[e] === view.chosen ? 1 : 0.15) * (view.edgeAlpha ? view.edgeAlpha[e] : 1);
      widths[at++] = view.widths ? view.widths[e] : 1;
    }
    graph.setLinks(links); graph.setLinkColors(tints); graph.setLinkWidths(widths);
  }

  self.redraw = () => {
    graph.setConfigPartial({ backgroundColor: view.background });
    graph.setPointColors(colors()); edges();
    self.drawnEdges = view.edgeCount;
    graph.render(self.playing ? undefined : 0);
    if (!self.playing) graph.pause();
    hooks.moved();
  };
  const first = new Float32Array(view.positions.length);
  for (let i = 0; i < first.length; i++) first[i] = toSpace(view.positions[i], i % 2);
  graph.setPointPositions(first);
  graph.setPointSizes(Float32Array.from(view.sizes, (s) => 2 * s * view.scale));
  self.place = (i) => graph.spaceToScreenPosition([toSpace(view.positions[2 * i], 0), toSpace(view.positions[2 * i + 1], 1)]);
  self.radius = (i) => view.sizes[i] * view.scale;
  self.pick = () => -1; // cosmos tells through onClick and onMouseMove
  self.fit = () => { own = false; graph.fitView(0, 0.1, true); };
  self.zoom = (by) => { own = true; return graph.zoom(graph.getZoomLevel() * by, 100, true); };
  self.pan = (dx, dy) => { // cosmos moves by pointer alone; this is the d3-zoom that it does so with
    own = true;
    const { behavior, eventTransform } = graph.zoomInstance;
    graph.canvasD3Selection.call(behavior.translateBy, dx / eventTransform.k, dy / eventTransform.k);
    graph.render();
  };
  self.goTo = (i) => graph.zoomToPointByIndex(i, 300, Math.max(graph.getZoomLevel(), 1), false);
  self.play = (on) => { self.playing = on; if (on) graph.start(1); else { graph.pause(); pull(); hooks.moved(); } };
  self.destroy = () => { graph.destroy(); box.remove(); };
  self.redraw();
  self.fit();
  return self;
}

function usual({ source, destination, positions }) { // the median length of some edges
  const lengths = [];
  for (let e = 0; e < source.length; e += Math.ceil(source.length / 1000)) {
    const s = 2 * source[e], d = 2 * destination[e], long = Math.hypot(positions[s] - positions[d], positions[s + 1] - positions[d + 1]);
    if (long) lengths.push(long);
  }
  return lengths.sort((a, b) => a - b)[lengths.length >> 1];
}

function extent(positions) {
  let [l, r, b, t] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < positions.length; i += 2) {
    l = Math.min(l, positions[i]); r = Math.max(r, positions[i]); b = Math.min(b, positions[i + 1]); t = Math.max(t, positions[i + 1]);
  }
  return { center: [(l + r) / 2, (b + t) / 2], half: Math.max(r - l, t - b, 1e-6) / 2 };
}
