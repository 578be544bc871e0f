// The picture without a GPU: a 2D canvas. Many edges are summed up by pixel, so that dense places stay readable.
// A renderer has: kind, redraw(), place(i) -> [x, y], pick(x, y) -> node or -1, radius(i), fit(), zoom(factor, x, y),
// pan(dx, dy), goTo(i), play(on), playing, drawnEdges, destroy(). It calls hooks.moved() when places change,
// hooks.hover(i, x, y) and hooks.click(i). `view` is what app.js keeps: positions, colors, sizes, nodeOn, edgeOn, ….
import { css } from "looks";

const STROKES = 4000; // up to so many edges each is a stroke; above, their density is drawn
const MOVING = 15000; // edges drawn while the picture moves
const STILL = 1500000;

export function create(holder, view, hooks) {
  const canvas = holder.appendChild(document.createElement("canvas"));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const camera = { x: 0, y: 0, k: 1 };
  let width = 0, height = 0, ratio = 1, base = 1, still, waiting = 0, ink = new Float32Array(0);
  const self = { kind: "canvas", playing: false, drawnEdges: 0 };
  const sx = (x) => (x - camera.x) * camera.k + width / 2;
  const sy = (y) => height / 2 - (y - camera.y) * camera.k;

  function size() {
    const box = holder.getBoundingClientRect();
    ratio = Math.min(window.devicePixelRatio || 1, 2);
    width = Math.max(box.width, 1); height = Math.max(box.height, 1);
    canvas.width = width * ratio; canvas.height = height * ratio;
  }

  self.place = (i) => [sx(view.positions[2 * i]), sy(view.positions[2 * i + 1])];
  self.radius = (i) => Math.max(1, view.sizes[i] * view.scale * Math.min(Math.sqrt(camera.k / base), 4));
  self.camera = camera;

  function draw(moving) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = view.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    const shown = view.edgeCount, step = Math.max(1, Math.ceil(shown / (moving ? MOVING : STILL)));
    self.drawnEdges = Math.ceil(shown / step);
    if (shown / step <= STROKES) strokes(step); else density(step);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    nodes(moving);
  }

  function edgeColor(e, s) {
    const from = view.edgeColors ? view.edgeColors : view.colors, at = 3 * (view.edgeColors ? e : s);
    return [from[at], from[at + 1], from[at + 2]];
  }

  function strokes(step) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { source, destination, positions } = view, alpha = Math.min(1, 0.55 * view.edgeOpacity);
    context.lineCap = "round";
    for (let e = 0, seen = 0; e < source.length; e++) {
      if (!view.edgeOn[e] || seen++ % step) continue;
      const s = source[e], d = destination[e];
      const x1 = sx(positions[2 * s]), y1 = sy(positions[2 * s + 1]), x2 = sx(positions[2 * d]), y2 = sy(positions[2 * d + 1]);
      const lit = view.chosen < 0 ? 1 : s === view.chosen || d === view.chosen ? 1.8 : 0.25;
      context.strokeStyle = css(edgeColor(e, s), Math.min(1, alpha * lit * (view.edgeAlpha ? view.edgeAlpha[e] : 1)));
      context.lineWidth = (view.widths ? view.widths[e] : 1) * (lit > 1 ? 1.5 : 1);
      context.beginPath();
      context.moveTo(x1, y1);
      const bend = view.curvature * 0.3, mx = (x1 + x2) / 2 - (y2 - y1) * bend, my = (y1 + y2) / 2 + (x2 - x1) * bend;
      if (s === d) context.arc(x1 + self.radius(s), y1 - self.radius(s), self.radius(s), 0, 7);
      else if (bend) context.quadraticCurveTo(mx, my, x2, y2);
      else context.lineTo(x2, y2);
      context.stroke();
      if (view.arrows && s !== d) arrow(x2, y2, Math.atan2(y2 - (bend ? my : y1), x2 - (bend ? mx : x1)), self.radius(d));
    }
  }

  function arrow(x, y, angle, away) {
    context.fillStyle = context.strokeStyle;
    context.beginPath();
    for (const [r, turn] of [[away, 0], [away + 7, 0.3], [away + 7, -0.3]])
      context.lineTo(x - r * Math.cos(angle + turn * (7 / (away + 7))), y - r * Math.sin(angle + turn * (7 / (away + 7))));
    context.fill();
  }

  function density(step) {
    const w = canvas.width, h = canvas.height;
    if (ink.length !== 4 * w * h) ink = new Float32Array(4 * w * h); else ink.fill(0);
    const { source, destination, positions, edgeOn, chosen, edgeColors } = view, tints = edgeColors || view.colors;
    const px = new Float32Array(view.sizes.length), py = new Float32Array(view.sizes.length);
    for (let i = 0; i < px.length; i++) { px[i] = sx(positions[2 * i]) * ratio; py[i] = sy(positions[2 * i + 1]) * ratio; }
    for (let e = 0, seen = 0; e < source.length; e++) {
      if (!edgeOn[e] || seen++ % step) continue;
      const s = source[e], d = destination[e];
      let x1 = px[s], y1 = py[s], dx = px[d] - x1, dy = py[d] - y1;
      if (Math.min(x1, x1 + dx, y1, y1 + dy) < 0 || Math.max(x1, x1 + dx) > w - 1 || Math.max(y1, y1 + dy) > h - 1) { // cut to the canvas
        let from = 0, to = 1;
        for (let side = 0; side < 4; side++) {
          const p = side === 0 ? -dx : side === 1 ? dx : side === 2 ? -dy : dy, q = side === 0 ? x1 : side === 1 ? w - 1 - x1 : side === 2 ? y1 : h - 1 - y1;
          if (p < 0) from = Math.max(from, q / p); else if (p > 0) to = Math.min(to, q / p); else if (q < 0) to = -1;
        }
        if (from > to) continue;
        x1 += from * dx; y1 += from * dy; dx *= to - from; dy *= to - from;
      }
      const steps = Math.max(1, Math.ceil(Math.max(Math.abs(dx), Math.abs(dy))));
      const weight = (chosen < 0 ? 1 : s === chosen || d === chosen ? 20 : 0.3) * (view.edgeAlpha ? view.edgeAlpha[e] : 1);
      const tint = edgeColors ? 3 * e : 3 * s, r = tints[tint] * weight, g = tints[tint + 1] * weight, b = tints[tint + 2] * weight, ix = dx / steps, iy = dy / steps;
      for (let t = 0; t <= steps; t++) {
        const at = 4 * ((y1 | 0) * w + (x1 | 0));
        ink[at] += r; ink[at + 1] += g; ink[at + 2] += b; ink[at + 3] += weight;
        x1 += ix; y1 += iy;
      }
    }
    const image = context.getImageData(0, 0, w, h), out = image.data;
    const strength = view.edgeOpacity * Math.min(0.3, 0.02 + 40 / Math.sqrt(1 + view.edgeCount * 40)) * Math.sqrt(step);
    for (let at = 0; at < ink.length; at += 4) {
      const weight = ink[at + 3];
      if (!weight) continue;
      const alpha = 0.85 * (1 - Math.exp(-weight * strength)), rest = 1 - alpha, by = alpha / weight;
      out[at] = out[at] * rest + ink[at] * by; out[at + 1] = out[at + 1] * rest + ink[at + 1] * by; out[at + 2] = out[at + 2] * rest + ink[at + 2] * by;
    }
    context.putImageData(image, 0, 0);
  }

  function nodes(moving) {
    const { colors, nodeOn, chosen, near } = view, many = view.nodeCount > 50000;
    let last = "";
    for (let at = moving ? Math.max(0, view.order.length - 20000) : 0; at < view.order.length; at++) { // the largest come last
      const i = view.order[at];
      if (!nodeOn[i]) continue;
      const [x, y] = self.place(i), r = self.radius(i);
      if (x < -r || y < -r || x > width + r || y > height + r) continue;
      const faded = chosen >= 0 && chosen !== i && !near.has(i) ? 0.25 : 1;
      const fill = css(colors.subarray(3 * i, 3 * i + 3), view.pointOpacity * faded * (view.nodeAlpha ? view.nodeAlpha[i] : 1));
      if (fill !== last) context.fillStyle = last = fill;
      if (many && r < 3) { context.fillRect(x - r, y - r, 2 * r, 2 * r); continue; }
      context.beginPath();
      context.arc(x, y, r, 0, 7);
      context.fill();
      if (r > 3 && !many) { context.lineWidth = view.stroke; context.strokeStyle = view.background; if (view.stroke) context.stroke(); }
    }
  }

  self.redraw = (moving = false) => {
    clearTimeout(still);
    if (moving) still = setTimeout(() => { draw(false); hooks.moved(); }, 160);
    if (waiting) return;
    waiting = requestAnimationFrame(() => { waiting = 0; draw(moving); hooks.moved(); });
  };

  self.fit = () => {
    size();
    let [l, r, b, t] = [Infinity, -Infinity, Infinity, -Infinity];
    const some = view.nodeCount > 0;
    for (let i = 0; i < view.nodeOn.length; i++) {
      if (some && !view.nodeOn[i]) continue;
      const x = view.positions[2 * i], y = view.positions[2 * i + 1];
      l = Math.min(l, x); r = Math.max(r, x); b = Math.min(b, y); t = Math.max(t, y);
    }
    if (l > r) [l, r, b, t] = [-1, 1, -1, 1];
    camera.x = (l + r) / 2; camera.y = (b + t) / 2;
    camera.k = Math.min((width - 70) / Math.max(r - l, 1e-6), (height - 90) / Math.max(t - b, 1e-6));
    if (r - l < 1e-6 && t - b < 1e-6) camera.k = 1;
    if (some && view.nodeCount === view.nodeOn.length) base = camera.k;
    self.redraw();
  };

  self.zoom = (factor, x = width / 2, y = height / 2) => {
    const gx = (x - width / 2) / camera.k + camera.x, gy = camera.y - (y - height / 2) / camera.k;
    camera.k *= factor;
    camera.x = gx - (x - width / 2) / camera.k; camera.y = gy + (y - height / 2) / camera.k;
    self.redraw(true);
  };
  self.pan = (dx, dy) => { camera.x -= dx / camera.k; camera.y += dy / camera.k; self.redraw(true); };
  self.goTo = (i) => { camera.x = view.positions[2 * i]; camera.y = view.positions[2 * i + 1]; self.redraw(); };
  self.play = () => {};
  self.pick = (x, y) => {
    let found = -1, nearest = 1;
    for (let i = 0; i < view.nodeOn.length; i++) {
      if (!view.nodeOn[i]) continue;
      const [px, py] = self.place(i), far = Math.hypot(px - x, py - y) / Math.max(self.radius(i) + 2, 5);
      if (far < nearest) { nearest = far; found = i; }
    }
    return found;
  };

  const inside = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  let held = null;
  canvas.addEventListener("pointerdown", (e) => { held = { x: e.clientX, y: e.clientY, moved: 0 }; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointermove", (e) => {
    if (!held) { const [x, y] = inside(e); hooks.hover(self.pick(x, y), x, y); return; }
    const dx = e.clientX - held.x, dy = e.clientY - held.y;
    held.moved += Math.abs(dx) + Math.abs(dy); held.x = e.clientX; held.y = e.clientY;
    if (held.moved > 3) self.pan(dx, dy);
  });
  canvas.addEventListener("pointerup", (e) => { const quick = held && held.moved <= 3; held = null; if (quick) hooks.click(self.pick(...inside(e))); });
  canvas.addEventListener("pointerleave", () => hooks.hover(-1));
  canvas.addEventListener("wheel", (e) => { e.preventDefault(); self.zoom(Math.exp(-e.deltaY * 0.0015), ...inside(e)); }, { passive: false });
  const watcher = new ResizeObserver(() => { size(); self.redraw(); });
  watcher.observe(holder);
  size();
  self.canvas = canvas;
  self.drawNow = () => draw(false);
  self.destroy = () => { watcher.disconnect(); clearTimeout(still); cancelAnimationFrame(waiting); canvas.remove(); };
  return self;
}
