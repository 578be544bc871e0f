// Colors: CSS text and gradients as bytes, and what the dataset's looks say of each node and edge.
const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const SPARE = ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#9c6ade", "#76b7b2", "#d4a72c", "#d37295"];

export function bytes(css, at = 0) {
  const usable = CSS.supports("color", css) ? css : SPARE[at % SPARE.length];
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = usable;
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

export const css = ([r, g, b], alpha = 1) => `rgba(${r},${g},${b},${alpha})`;

// The color of every code of one look: a flat array, three bytes each.
export function palette(look) {
  if (!look) return null;
  const colors = look.kind === "continuous"
    ? Array.from({ length: 257 }, (_, i) => (i === 256 ? bytes(look.none) : blended(look.stops, i / 255)))
    : look.entries.map((entry, i) => bytes(entry.color, i));
  return Uint8Array.from(colors.flat());
}

function blended(stops, share) {
  const at = share * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 1), high = Math.min(low + 1, stops.length - 1);
  const a = bytes(stops[low]), b = bytes(stops[high]);
  return a.map((v, i) => Math.round(v + (b[i] - v) * (at - low)));
}

export function painted(codes, look, length) {
  const colors = palette(look) || Uint8Array.from(bytes(SPARE[0]));
  const out = new Uint8Array(3 * length);
  for (let i = 0; i < length; i++) {
    const from = 3 * (codes ? codes[i] : 0);
    out[3 * i] = colors[from]; out[3 * i + 1] = colors[from + 1]; out[3 * i + 2] = colors[from + 2];
  }
  return out;
}
