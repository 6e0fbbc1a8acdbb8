// Elements, numbers and dates. Text from the log only ever goes through text nodes and attributes that hold no
// code and no address; nothing here builds markup from strings.

const SVG = 'http://www.w3.org/2000/svg';
const $ = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === 'text') node.textContent = value;
    else if (name === 'style') for (const [key, v] of Object.entries(value)) node.style.setProperty(key, v);
    else node.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// As append(), but leaves out what is null or false.
const add = (node, ...children) => fill(node, {}, children);

// ---- numbers ----

const grouped = new Intl.NumberFormat('en-US');
const count = (n) => grouped.format(n).replace(/,/g, '\u202f');
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many || one + 's'}`;

function digits(x) {
  return x >= 99.95 ? x.toFixed(0) : x >= 9.995 ? x.toFixed(1) : x.toFixed(2);
}

// 0.0123 -> "12.3 ms"
function duration(s) {
  if (s === null || s === undefined) return '';
  const a = Math.abs(s);
  if (a === 0) return '0 s';
  if (a < 1e-6) return `${Math.round(s * 1e9)} ns`;
  if (a < 0.9995e-3) return `${digits(s * 1e6)} \u00b5s`;
  if (a < 0.9995) return `${digits(s * 1e3)} ms`;
  if (a < 99.95) return `${digits(s)} s`;
  if (a < 7200) return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}

function percent(x) {
  const p = 100 * x;
  return p >= 99.95 ? '100 %' : p >= 9.95 ? `${p.toFixed(0)} %` : p >= 0.095 ? `${p.toFixed(1)} %` : p > 0 ? '< 0.1 %' : '0 %';
}

// ---- times: UTC, as the log has them ----

const two = (n) => String(n).padStart(2, '0');

function clock(t, fraction) {
  const d = new Date(t * 1000);
  let text = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
  if (fraction) text += '.' + String(Math.floor((t - Math.floor(t)) * 10 ** fraction)).padStart(fraction, '0');
  return text;
}

const day = (t) => new Date(t * 1000).toISOString().slice(0, 10);
const moment = (t) => `${day(t)} ${clock(t)} UTC`;

// ---- others ----

const short = (file) => file.slice(file.lastIndexOf('/') + 1);

function say(text) {
  $('live').textContent = '';
  $('live').textContent = text;
}

function showTip(x, y, lines) {
  const tip = $('tip');
  tip.replaceChildren(...lines.filter(Boolean).map((line, i) => el('div', { class: i ? '' : 'first', text: line })));
  tip.hidden = false;
  const w = tip.offsetWidth, h = tip.offsetHeight;
  tip.style.left = `${Math.max(8, Math.min(x + 14, document.documentElement.clientWidth - w - 8))}px`;
  tip.style.top = `${y + 18 + h > innerHeight ? Math.max(8, y - h - 12) : y + 18}px`;
}

const hideTip = () => { $('tip').hidden = true; };

// A name's number, to give it a shade.
function shade(name, n) {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return (hash >>> 8) % n;
}

function debounce(wait, f) {
  let timer = 0;
  return (...args) => { clearTimeout(timer); timer = setTimeout(() => f(...args), wait); };
}
