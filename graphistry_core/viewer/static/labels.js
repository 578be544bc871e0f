// Labels, icons and badges over the picture: the most important first, none over another.
const FONT = '12px system-ui, "DejaVu Sans", sans-serif';
const KNOWN = 6; // so many of the largest are named even where that covers smaller ones
const GLYPHS = new Map();
const WHERE = { TopRight: [1, -1], TopLeft: [-1, -1], BottomRight: [1, 1], BottomLeft: [-1, 1], Top: [0, -1], Bottom: [0, 1], Left: [-1, 0], Right: [1, 0], Cover: [0, 0] };

export function draw(canvas, renderer, view, options, glyphs) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2), box = canvas.getBoundingClientRect();
  canvas.width = box.width * ratio; canvas.height = box.height * ratio;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  paint(context, box.width, box.height, renderer, view, options, glyphs);
}

export function paint(context, width, height, renderer, view, options, glyphs) {
  const taken = new Map(), cell = 48;
  const free = (l, t, r, b) => {
    const hits = [];
    for (let x = Math.floor(l / cell); x <= Math.floor(r / cell); x++) for (let y = Math.floor(t / cell); y <= Math.floor(b / cell); y++) {
      const key = x * 4096 + y;
      for (const o of taken.get(key) || []) if (l < o[2] && r > o[0] && t < o[3] && b > o[1]) return null;
      hits.push(key);
    }
    return () => { for (const key of hits) (taken.get(key) || taken.set(key, []).get(key)).push([l, t, r, b]); };
  };
  const visible = (i, margin) => {
    if (!view.nodeOn[i]) return null;
    const [x, y] = renderer.place(i);
    return x < -margin || y < -margin || x > width + margin || y > height + margin ? null : [x, y];
  };
  symbols(context, renderer, view, visible, glyphs);
  context.font = FONT;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  let drawn = 0;
  const first = view.chosen >= 0 ? [view.chosen, ...[...view.near].slice(0, 40)] : [];
  if (!options.labels && !first.length) return 0;
  const ranked = view.ranked, nodes = new Map(), solid = Math.min(3000, ranked.length);
  const under = (l, t, r, b, i) => { // whether a label would cover another node
    for (let x = Math.floor(l / cell); x <= Math.floor(r / cell); x++) for (let y = Math.floor(t / cell); y <= Math.floor(b / cell); y++)
      for (const [j, px, py, pr] of nodes.get(x * 4096 + y) || []) if (j !== i && px + pr > l && px - pr < r && py + pr > t && py - pr < b) return true;
    return false;
  };
  for (let k = 0; k < solid; k++) {
    const at = visible(ranked[k], 0);
    if (!at) continue;
    const key = Math.floor(at[0] / cell) * 4096 + Math.floor(at[1] / cell);
    (nodes.get(key) || nodes.set(key, []).get(key)).push([ranked[k], ...at, Math.min(renderer.radius(ranked[k]), 24)]);
  }
  for (let k = -first.length; k < ranked.length && drawn < options.most; k++) {
    const i = k < 0 ? first[k + first.length] : ranked[k];
    if (k >= 0 && (!options.labels || (view.chosen >= 0 && i !== view.chosen && !view.near.has(i)))) { if (!options.labels || k > 3000) break; continue; }
    if (k >= 0 && first.includes(i)) continue;
    if (k > 3000) break;
    const at = visible(i, 20);
    if (!at) continue;
    const text = options.text(i);
    if (!text) continue;
    const wide = context.measureText(text).width, r = renderer.radius(i);
    for (const [x, y] of [[at[0] + r + 4, at[1]], [at[0] - r - 4 - wide, at[1]], [at[0] - wide / 2, at[1] - r - 9], [at[0] - wide / 2, at[1] + r + 9]]) {
      if (x < 2 || x + wide > width - 2 || y < 8 || y > height - 8) continue;
      if ((k < 0 ? i !== view.chosen : k >= KNOWN) && under(x - 1, y - 6, x + wide + 1, y + 6, i)) continue;
      const take = free(x - 3, y - 8, x + wide + 3, y + 8);
      if (!take) continue;
      take();
      context.globalAlpha = options.opacity;
      if (options.background) { context.fillStyle = options.background; context.fillRect(x - 3, y - 8, wide + 6, 16); }
      else { context.strokeStyle = view.background; context.lineWidth = 4; context.strokeText(text, x, y); }
      context.fillStyle = options.color;
      context.fillText(text, x, y);
      context.globalAlpha = 1;
      drawn++;
      break;
    }
  }
  return drawn;
}

function symbols(context, renderer, view, visible, glyphs) {
  if (!view.symbols.length) return;
  let left = 3000;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const i of view.ranked) {
    if (left <= 0) break;
    const at = visible(i, 10);
    if (!at) continue;
    const r = renderer.radius(i);
    for (const { kind, codes, values, asText, color } of view.symbols) {
      const value = codes[i] < 0 ? "" : values[codes[i]];
      if (!value) continue;
      left--;
      if (kind === "icon") icon(context, value, at[0], at[1], r, asText, color || "#fff", glyphs);
      else badge(context, value, at, r, kind.slice(5), color, view);
    }
  }
  context.textAlign = "start";
}

function icon(context, value, x, y, r, asText, color, glyphs) {
  if (r < 5) return; // too small to be told apart
  if (/^data:image\//.test(value)) {
    let image = GLYPHS.get(value);
    if (!image) { image = new Image(); image.src = value; image.onload = glyphs.redraw; GLYPHS.set(value, image); }
    if (image.complete && image.naturalWidth) context.drawImage(image, x - r, y - r, 2 * r, 2 * r);
    return;
  }
  const glyph = asText ? value : glyphs.of(value);
  if (!glyph) return;
  context.font = asText ? `${Math.round(r * 1.1)}px system-ui, sans-serif` : `${Math.round(r * 1.15)}px graph-icons`;
  context.fillStyle = color;
  context.fillText(glyph, x, y + r * 0.05);
}

function badge(context, value, at, r, where, color, view) {
  const [dx, dy] = WHERE[where] || WHERE.TopRight, x = at[0] + dx * r, y = at[1] + dy * r;
  context.font = "9px system-ui, sans-serif";
  const text = value.slice(0, 8), wide = context.measureText(text).width + 6;
  context.fillStyle = color || view.ink;
  context.beginPath();
  context.roundRect(x - wide / 2, y - 6, wide, 12, 6);
  context.fill();
  context.fillStyle = view.background;
  context.fillText(text, x, y + 0.5);
}
