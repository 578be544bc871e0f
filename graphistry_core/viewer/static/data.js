// The parts of a scene, from the server or from the page itself, and values as people read them.
import { tableFromIPC } from "arrow";

const boot = JSON.parse(document.getElementById("boot").textContent);
export const params = new URLSearchParams(boot.inline ? boot.query : location.search);
export const inline = Boolean(boot.inline);
export const font = boot.font;

export class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

export async function setup() {
  return boot.inline ? boot.setup : JSON.parse(new TextDecoder().decode(await fetched("setup")));
}

export async function collections() {
  const asked = params.get("collections");
  if (!asked || boot.inline) return boot.collections || [];
  return JSON.parse(new TextDecoder().decode(await fetched("collections", null, `&collections=${encodeURIComponent(asked)}`)));
}

export async function table(name, progress) {
  const bytes = boot.inline ? unpacked(document.getElementById(`part-${name}`).textContent) : await fetched(name, progress);
  return tableFromIPC(bytes);
}

function unpacked(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

async function fetched(name, progress, more = "") {
  const answer = await fetch(`${boot.data}${name}?session=${encodeURIComponent(boot.session)}${more}`);
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, said.message || `The server answered ${answer.status}.`);
  }
  const total = Number(answer.headers.get("content-length")) || 0;
  if (!progress || !answer.body) return new Uint8Array(await answer.arrayBuffer());
  const chunks = [];
  let got = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    got += value.length;
    progress(got, total);
  }
  const whole = new Uint8Array(got);
  let at = 0;
  for (const chunk of chunks) { whole.set(chunk, at); at += chunk.length; }
  return whole;
}

// A column: value(i), and, where it has them, numbers (NaN for null) or codes into labels.
export function column(from, { name, kind, zone }) {
  const vector = from.getChild(name);
  const made = { name, kind, zone, value: (i) => vector.get(i) };
  if (kind === "text") {
    const data = vector.data[0];
    if (data && data.dictionary) {
      const labels = data.dictionary.toArray ? [...data.dictionary] : [];
      const valid = data.nullCount > 0;
      made.labels = labels;
      made.codes = Int32Array.from(data.values.subarray(0, vector.length), (c, i) => (valid && !data.getValid(i) ? -1 : c));
    }
  } else {
    made.numbers = () => {
      const out = new Float64Array(vector.length);
      for (let i = 0; i < out.length; i++) { const v = vector.get(i); out[i] = v == null ? NaN : Number(v); }
      return out;
    };
  }
  return made;
}

export function shown(column, i) {
  const text = written(column.value(i), column.kind);
  return text && column.zone ? `${text} ${column.zone}` : text;
}

export function written(value, kind) {
  if (value == null) return "";
  if (kind === "time") return (iso(value) || "").replace("T", " ").replace(/(:00)?\.000Z$/, "").replace(/Z$/, "") || String(value);
  return String(value);
}

export function iso(value) { // null for what no calendar of the page reaches
  const date = new Date(Number(value));
  return isNaN(date) ? null : date.toISOString();
}

export const count = (n) => n.toLocaleString("en");
export const flag = (name, otherwise) => {
  const given = params.get(name);
  return given === null ? otherwise : !/^(false|0|no|off)$/i.test(given);
};
export const number = (name, otherwise) => {
  const given = parseFloat(params.get(name));
  return Number.isFinite(given) ? given : otherwise;
};
