// One lane for each loop's thread, drawn on a canvas. The items are few thousand at most; of what lies closer
// together than a pixel, one mark is drawn. The canvas takes the focus: arrows move and zoom, n and p go from
// item to item, and the line below tells the chosen one in words.

const TL_LANES = 12; // drawn at first
const TL = { items: [], lanes: [], from: 0, to: 1, chosen: -1, gutter: 168, height: 0 };
const TL_ROW = 15, TL_GAP = 3, TL_HEAD = 25, TL_AXIS = 26, TL_OVER = 30;

function timelineLoad() {
  const t = data.timeline;
  TL.span = Math.max(t.t1 - t.t0, 1e-6);
  const raw = t.items;
  let at = 0;
  TL.items = (raw.start || []).map((step, i) => {
    at += step;
    return { start: at / 1e6, end: (at + raw.length[i]) / 1e6, lane: raw.lane[i], row: raw.row[i], level: raw.level[i], group: raw.group[i] };
  });
  // Which rows each lane has.
  const used = data.lanes.map(() => new Set());
  for (const item of TL.items) used[item.lane].add(item.row);
  for (const cell of t.density) used[cell.lane].add(cell.row);
  TL.lanes = [];
  let y = TL_OVER + TL_AXIS;
  data.lanes.forEach((lane, i) => {
    const rows = [...used[i]].sort((a, b) => a - b);
    if (!rows.length || (!TL.everything && lane.rank >= TL_LANES)) return;
    const entry = { lane, index: i, y, rows: new Map() };
    y += TL_HEAD;
    for (const row of rows) {
      entry.rows.set(row, y);
      y += TL_ROW + TL_GAP;
    }
    y += 6;
    entry.end = y;
    TL.lanes.push(entry);
  });
  TL.byLane = new Map(TL.lanes.map((entry) => [entry.index, entry]));
  TL.items = TL.items.filter((item) => TL.byLane.has(item.lane));
  TL.bins = null;
  TL.height = y + 4;
}

const ROW_FAMILY = ['time', 'time', 'time', 'time', 'wait', 'wait', 'other'];

function itemFamily(item) {
  const group = data.groups[item.group];
  return group ? group.family : ROW_FAMILY[item.row];
}

function timelineColours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(name).trim();
  const families = {};
  for (const name of Object.keys(data.families)) families[name] = get(`--${name}`);
  return { families, text: get('--text'), muted: get('--muted'), line: get('--line'), soft: get('--soft'), accent: get('--accent'), card: get('--card'), font: getComputedStyle(document.body).fontFamily };
}

const NICE = [1, 2, 5];
function axisStep(span, wanted) {
  const rough = span / wanted;
  if (rough >= 60) return [60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400].find((s) => s >= rough) || Math.ceil(rough / 86400) * 86400;
  const e = 10 ** Math.floor(Math.log10(rough));
  return NICE.map((m) => m * e).find((s) => s >= rough) || 10 * e;
}

// Whole minutes and more are told by the clock, what is shorter as seconds from the beginning.
function axisText(at, step) {
  if (step >= 1) return TL.span >= 120 ? clock(data.timeline.t0 + at) : `${Math.round(at)} s`;
  const places = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  return places <= 3 ? `${at.toFixed(places)} s` : `${(at * 1e3).toFixed(Math.max(0, places - 3))} ms`;
}

function timelineDraw() {
  const canvas = $('timeline-canvas');
  const W = canvas.clientWidth, H = TL.height, ratio = devicePixelRatio || 1;
  if (!W) return;
  canvas.style.height = `${H}px`;
  canvas.width = Math.round(W * ratio);
  canvas.height = Math.round(H * ratio);
  const c = canvas.getContext('2d');
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, W, H);
  const colours = timelineColours();
  TL.gutter = W < 560 ? 84 : 168;
  const left = TL.gutter, right = W - 10, span = TL.to - TL.from;
  const x = (t) => left + (right - left) * (t - TL.from) / span;
  TL.x = x;
  TL.t = (px) => TL.from + span * (px - left) / (right - left);

  timelineOverview(c, colours, left, right);

  // axis
  c.font = `11px ${colours.font}`;
  c.textBaseline = 'middle';
  const step = axisStep(span, Math.max(2, (right - left) / 110));
  c.lineWidth = 1;
  for (let k = Math.ceil(TL.from / step); k * step <= TL.to; k++) {
    const px = Math.round(x(k * step)) + 0.5;
    c.strokeStyle = colours.line;
    c.beginPath();
    c.moveTo(px, TL_OVER + TL_AXIS - 5);
    c.lineTo(px, H - 6);
    c.stroke();
    c.fillStyle = colours.muted;
    const text = axisText(k * step, step);
    const w = c.measureText(text).width;
    c.fillText(text, Math.max(left, Math.min(px - w / 2, right - w)), TL_OVER + TL_AXIS / 2 - 2);
  }

  for (const entry of TL.lanes) {
    const { lane } = entry;
    c.fillStyle = colours.card;
    c.fillRect(0, entry.y - 1, W, TL_HEAD - 1);
    c.fillStyle = colours.line;
    c.fillRect(0, entry.y - 1, W, 1);
    c.textBaseline = 'middle';
    c.fillStyle = colours.text;
    c.font = `600 12px ${colours.font}`;
    const name = laneName(lane);
    c.fillText(name, 4, entry.y + 13, W - 12);
    const w = Math.min(c.measureText(name).width, W - 12);
    c.font = `11px ${colours.font}`;
    c.fillStyle = colours.muted;
    const about = `process ${lane.pid ?? '?'}, thread ${lane.tid ?? '?'}${lane.blocked ? `, blocked ${duration(lane.blocked)}` : ''}`;
    if (W - w > 240) c.fillText(about, 4 + w + 10, entry.y + 13.5);
    for (const [row, y] of entry.rows) {
      c.fillStyle = colours.soft;
      c.fillRect(left, y, right - left, TL_ROW);
      c.fillStyle = colours.muted;
      c.fillText(data.rows[row], 4, y + TL_ROW / 2 + 0.5, left - 10);
    }
  }

  c.save();
  c.beginPath();
  c.rect(left, TL_OVER, right - left, H);
  c.clip();
  timelineDensity(c, colours, x, left, right);
  timelineItems(c, colours, x, left, right);
  c.restore();
}

function timelineOverview(c, colours, left, right) {
  // How many items each part of the whole log has, and which part is shown.
  const w = right - left, bins = Math.max(40, Math.floor(w / 4));
  if (!TL.bins || TL.bins.length !== bins) {
    TL.bins = new Float64Array(bins);
    for (const item of TL.items) TL.bins[Math.min(bins - 1, Math.floor(item.start / TL.span * bins))]++;
    for (const row of data.timeline.density) {
      for (const [slice, , n] of row.cells) TL.bins[Math.min(bins - 1, Math.floor(slice / data.timeline.slices * bins))] += n;
    }
  }
  const most = Math.max(1, ...TL.bins);
  c.fillStyle = colours.soft;
  c.fillRect(left, 0, w, TL_OVER - 6);
  c.fillStyle = colours.muted;
  c.globalAlpha = 0.55;
  TL.bins.forEach((n, i) => {
    if (!n) return;
    const h = Math.max(2, (TL_OVER - 8) * Math.log1p(n) / Math.log1p(most));
    c.fillRect(left + w * i / bins, TL_OVER - 6 - h, Math.max(1, w / bins - 1), h);
  });
  c.globalAlpha = 1;
  const a = left + w * TL.from / TL.span, b = left + w * TL.to / TL.span;
  c.fillStyle = colours.accent;
  c.globalAlpha = 0.1;
  c.fillRect(a, 0, b - a, TL_OVER - 6);
  c.globalAlpha = 1;
  c.strokeStyle = colours.accent;
  c.strokeRect(a + 0.5, 0.5, Math.max(2, b - a - 1), TL_OVER - 7);
  c.fillStyle = colours.muted;
  c.font = `11px ${colours.font}`;
  c.textBaseline = 'middle';
  c.fillText('whole log', 4, (TL_OVER - 6) / 2);
}

function timelineDensity(c, colours, x, left, right) {
  const width = TL.span / data.timeline.slices;
  for (const { lane, row, cells } of data.timeline.density) {
    const entry = TL.byLane.get(lane);
    if (!entry) continue;
    const y = entry.rows.get(row);
    c.fillStyle = colours.families[ROW_FAMILY[row]];
    for (const [slice, covered] of cells) {
      const a = x(slice * width), b = x((slice + 1) * width);
      if (b < left || a > right) continue;
      c.globalAlpha = 0.2 + 0.5 * covered / 1000;
      c.fillRect(a, y, Math.max(1, b - a), TL_ROW);
    }
  }
  c.globalAlpha = 1;
}

function timelineItems(c, colours, x, left, right) {
  const drawn = new Map(); // lane and row -> the pixel up to which something is drawn already
  TL.items.forEach((item, i) => {
    const a = x(item.start), b = x(item.end);
    if (b < left - 4 || a > right + 4) return;
    const y = TL.byLane.get(item.lane).rows.get(item.row);
    const point = item.row === data.rows.length - 1;
    const chosen = i === TL.chosen;
    const key = item.lane * 16 + item.row;
    const family = itemFamily(item);
    if (!chosen && Math.max(b, a + 1.5) <= (drawn.get(key) ?? -1e9) && !point) return;
    c.fillStyle = colours.families[family];
    if (point) {
      // graver ones are taller
      const h = item.level >= 3 ? TL_ROW : item.level === 2 ? TL_ROW - 4 : TL_ROW - 8;
      c.fillRect(a - 1.25, y + TL_ROW - h, 2.5, h);
    } else {
      c.globalAlpha = item.level >= 2 ? 1 : 0.5;
      c.fillRect(a, y, Math.max(1.5, b - a), TL_ROW);
      c.globalAlpha = 1;
    }
    drawn.set(key, Math.max(b, a + 1.5));
  });
  const item = TL.items[TL.chosen];
  if (item) {
    const a = x(item.start), b = Math.max(x(item.end), a + 2), y = TL.byLane.get(item.lane).rows.get(item.row);
    c.strokeStyle = colours.card;
    c.lineWidth = 4;
    c.strokeRect(a - 2, y - 1, b - a + 4, TL_ROW + 2);
    c.strokeStyle = colours.accent;
    c.lineWidth = 2;
    c.strokeRect(a - 2, y - 1, b - a + 4, TL_ROW + 2);
  }
}

function timelineHit(px, py) {
  for (const entry of TL.lanes) {
    if (py < entry.y || py >= entry.end) continue;
    for (const [row, y] of entry.rows) {
      if (py < y - 1 || py > y + TL_ROW + 1) continue;
      let best = -1, distance = 6;
      TL.items.forEach((item, i) => {
        if (item.lane !== entry.index || item.row !== row) return;
        const a = TL.x(item.start), b = TL.x(item.end);
        const d = px < a ? a - px : px > b ? px - b : 0;
        if (d < distance || (d === 0 && distance === 0 && best >= 0 && item.end - item.start < TL.items[best].end - TL.items[best].start)) {
          best = i;
          distance = d;
        }
      });
      return best;
    }
  }
  return -1;
}

function timelineLines(item) {
  const group = data.groups[item.group];
  const check = group ? checkOf.get(group.check) : null;
  const lane = TL.byLane.get(item.lane).lane;
  const length = item.end - item.start;
  const at = clock(data.timeline.t0 + item.start, 3);
  return [
    group ? `${placeName(group)}  ${placeAt(group)}` : data.rows[item.row],
    check ? `${check.heading} (${check.slug || 'no check'}, ${LEVELS[item.level]})` : null,
    length > 0 ? `${duration(length)} from ${at}, ${duration(item.start)} after the first record` : `at ${at}, ${duration(item.start)} after the first record`,
    `${laneName(lane)}, process ${lane.pid ?? '?'}`,
  ];
}

function timelineChoose(i, follow) {
  TL.chosen = i;
  const item = TL.items[i];
  const box = $('timeline-chosen');
  if (!item) {
    box.replaceChildren(el('span', { class: 'muted', text: TL.hint }));
  } else {
    const lines = timelineLines(item);
    box.replaceChildren(el('strong', { text: lines[0] }), el('span', { text: lines.slice(1).filter(Boolean).join('. ') + '.' }));
    if (data.groups[item.group]) {
      add(box, el('button', { type: 'button', text: 'Show the finding', on: { click: () => openFinding(item.group) } }));
    }
    if (follow && (item.end < TL.from || item.start > TL.to || item.end - item.start < (TL.to - TL.from) / 4000)) {
      const span = Math.min(TL.to - TL.from, Math.max((item.end - item.start) * 40, TL.span / 400));
      timelineShow((item.start + item.end) / 2 - span / 2, (item.start + item.end) / 2 + span / 2);
      return;
    }
  }
  timelineDraw();
}

function timelineShow(from, to) {
  const least = Math.max(TL.span / 1e6, 2e-6);
  let span = Math.min(Math.max(to - from, least), TL.span);
  let start = Math.max(0, Math.min((from + to) / 2 - span / 2, TL.span - span));
  TL.from = start;
  TL.to = start + span;
  for (const id of ['timeline-out', 'timeline-all']) $(id).disabled = span >= TL.span;
  timelineDraw();
}

function timelineZoom(factor, around) {
  const span = (TL.to - TL.from) * factor;
  const middle = around ?? (TL.from + TL.to) / 2;
  const share = (middle - TL.from) / (TL.to - TL.from);
  timelineShow(middle - span * share, middle + span * (1 - share));
}

function timelinePan(share) {
  const by = (TL.to - TL.from) * share;
  const to = Math.max(Math.min(by, TL.span - TL.to), -TL.from);
  timelineShow(TL.from + to, TL.to + to);
}

function timelineStep(by) {
  if (!TL.items.length) return;
  let i = TL.chosen < 0 ? (by > 0 ? TL.items.findIndex((item) => item.start >= TL.from) : TL.items.findLastIndex((item) => item.start <= TL.to)) : TL.chosen + by;
  i = Math.max(0, Math.min(TL.items.length - 1, i));
  timelineChoose(i, true);
}

function timelineKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const actions = {
    ArrowLeft: () => timelinePan(-0.2), ArrowRight: () => timelinePan(0.2),
    ArrowUp: () => timelineZoom(0.6), ArrowDown: () => timelineZoom(1 / 0.6),
    '+': () => timelineZoom(0.6), '=': () => timelineZoom(0.6), '-': () => timelineZoom(1 / 0.6),
    0: () => timelineShow(0, TL.span), Home: () => timelineStep(-TL.items.length), End: () => timelineStep(TL.items.length),
    n: () => timelineStep(1), p: () => timelineStep(-1), Escape: () => timelineChoose(-1),
    Enter: () => { const item = TL.items[TL.chosen]; if (item && data.groups[item.group]) openFinding(item.group); },
  };
  if (actions[event.key]) {
    event.preventDefault();
    event.stopPropagation();
    actions[event.key]();
  }
}

function timelinePointer(canvas) {
  let drag = null;
  canvas.addEventListener('pointerdown', (event) => {
    const box = canvas.getBoundingClientRect();
    drag = { x: event.clientX, from: TL.from, to: TL.to, moved: false, over: event.clientY - box.top < TL_OVER };
    canvas.setPointerCapture(event.pointerId);
    if (drag.over) toOverview(event, box);
  });
  const toOverview = (event, box) => {
    const share = (event.clientX - box.left - TL.gutter) / (box.width - TL.gutter - 10);
    const half = (TL.to - TL.from) / 2;
    timelineShow(share * TL.span - half, share * TL.span + half);
  };
  canvas.addEventListener('pointermove', (event) => {
    const box = canvas.getBoundingClientRect();
    if (drag) {
      if (Math.abs(event.clientX - drag.x) > 3) drag.moved = true;
      if (drag.over) toOverview(event, box);
      else if (drag.moved) {
        const by = (drag.x - event.clientX) * (drag.to - drag.from) / (box.width - TL.gutter - 10);
        const to = Math.max(Math.min(by, TL.span - drag.to), -drag.from);
        timelineShow(drag.from + to, drag.to + to);
      }
      hideTip();
      return;
    }
    const i = timelineHit(event.clientX - box.left, event.clientY - box.top);
    canvas.style.cursor = i >= 0 ? 'pointer' : 'grab';
    if (i >= 0) showTip(event.clientX, event.clientY, timelineLines(TL.items[i]));
    else hideTip();
  });
  canvas.addEventListener('pointerup', (event) => {
    const box = canvas.getBoundingClientRect();
    if (drag && !drag.moved && !drag.over) timelineChoose(timelineHit(event.clientX - box.left, event.clientY - box.top));
    drag = null;
  });
  canvas.addEventListener('pointercancel', () => { drag = null; });
  canvas.addEventListener('pointerleave', hideTip);
  canvas.addEventListener('dblclick', (event) => timelineZoom(0.4, TL.t(event.clientX - canvas.getBoundingClientRect().left)));
  canvas.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return; // the page scrolls
    event.preventDefault();
    if (event.shiftKey) timelinePan((event.deltaY || event.deltaX) / 600);
    else timelineZoom(Math.exp(event.deltaY / 300), TL.t(event.clientX - canvas.getBoundingClientRect().left));
  }, { passive: false });
}

const timelineLabel = () => `Timeline of ${plural(TL.lanes.length, 'thread')}, ${plural(TL.items.length, 'item')}, ${duration(TL.span)}`;
const timelineLanesText = () => (TL.everything ? `Show the ${TL_LANES} busiest threads only` : `Show all ${data.lanes.length} threads`);

function timelineLanes() {
  timelineLoad();
  $('timeline-lanes').textContent = timelineLanesText();
  $('timeline-lanes').setAttribute('aria-expanded', String(Boolean(TL.everything)));
  $('timeline-canvas').setAttribute('aria-label', timelineLabel());
  timelineChoose(-1);
}

function drawTimeline() {
  timelineLoad();
  TL.from = 0;
  TL.to = TL.span;
  const body = $('timeline-body'), about = $('timeline-about');
  if (!TL.items.length && !data.timeline.density.length) {
    about.textContent = '';
    add(body, el('p', { class: 'empty', text: 'No record of this log says when it was made.' }));
    return;
  }
  const parts = [`Each loop's thread, as far as the log tells. The shim writes a repeated mistake out three times and then counts it, so what is not drawn here may still have happened.`];
  const out = data.lane_count - data.lanes.length;
  if (out > 0) parts.push(`${plural(out, 'more thread')} with less to show ${out === 1 ? 'is' : 'are'} left out.`);
  if (data.timeline.merged) parts.push(`${plural(data.timeline.merged, 'shorter record')} are shown as density.`);
  about.textContent = parts.join(' ');
  TL.hint = 'Click an item, or press n and p, to read what it is.';
  const button = (id, text, label, act) => el('button', { type: 'button', id, text, 'aria-label': label, on: { click: act } });
  const canvas = el('canvas', {
    id: 'timeline-canvas', tabindex: '0', role: 'application', 'aria-roledescription': 'timeline', 'aria-describedby': 'timeline-about timeline-chosen',
    'aria-label': timelineLabel(), on: { keydown: timelineKey },
  });
  const families = Object.keys(data.families).filter((f) => data.groups.some((group) => group.family === f));
  add(body,
    el('div', { class: 'controls' },
      el('div', { class: 'chips', role: 'group', 'aria-label': 'Move through the timeline' },
        button('timeline-in', 'Zoom in', null, () => timelineZoom(0.5)), button('timeline-out', 'Zoom out', null, () => timelineZoom(2)),
        button('timeline-left', 'Earlier', null, () => timelinePan(-0.4)), button('timeline-right', 'Later', null, () => timelinePan(0.4)),
        button('timeline-all', 'Whole log', null, () => timelineShow(0, TL.span))),
      el('div', { class: 'chips', role: 'group', 'aria-label': 'Items' },
        button('timeline-prev', 'Previous', 'Previous item', () => timelineStep(-1)), button('timeline-next', 'Next', 'Next item', () => timelineStep(1))),
      el('ul', { class: 'legend', 'aria-label': 'Colours' }, families.map((f) => el('li', { class: familyClass(f) }, el('span', { class: 'dot', 'aria-hidden': 'true' }), data.families[f].name)))),
    el('div', { class: 'card timeline-box' }, canvas),
    data.lanes.length > TL_LANES ? el('button', { type: 'button', id: 'timeline-lanes', 'aria-expanded': 'false', text: timelineLanesText(),
      on: { click: () => { TL.everything = !TL.everything; timelineLanes(); } } }) : null,
    el('p', { id: 'timeline-chosen', class: 'chosen', role: 'status' }, el('span', { class: 'muted', text: TL.hint })));
  for (const id of ['timeline-out', 'timeline-all']) $(id).disabled = true;
  timelinePointer(canvas);
  new ResizeObserver(debounce(40, timelineDraw)).observe(canvas.parentElement);
  timelineDraw();
}
