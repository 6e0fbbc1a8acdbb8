// One histogram for each check that measures time.

function ticks(low, high) {
  // Powers of ten between two exponents; for less than two decades also 2 and 5.
  const list = [];
  for (let e = Math.floor(low); e <= Math.ceil(high); e++) {
    for (const m of high - low < 2 ? [1, 2, 5] : [1]) {
      const x = e + Math.log10(m);
      if (x >= low - 1e-9 && x <= high + 1e-9) list.push([x, m * 10 ** e]);
    }
  }
  return list;
}

const tickText = (s) => (s < 0.9e-3 ? `${Math.round(s * 1e6)} \u00b5s` : s < 0.9 ? `${Math.round(s * 1e3)} ms`
  : s < 60 ? `${Math.round(s)} s` : s < 3600 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`);

function histogramChart(histogram, stats, threshold, label) {
  const W = 480, H = 150, LEFT_ = 34, RIGHT = 12, TOP = 22, BOTTOM = 24;
  let counts = histogram.counts, first = histogram.first;
  const least = 10; // columns, so that a lone one does not fill the chart
  if (counts.length < least) {
    const before = Math.floor((least - counts.length) / 2);
    counts = [...Array(before).fill(0), ...counts, ...Array(least - counts.length - before).fill(0)];
    first -= before;
  }
  const low = first / histogram.step, high = (first + counts.length) / histogram.step;
  const most = Math.max(...counts);
  const x = (e) => LEFT_ + (W - LEFT_ - RIGHT) * (e - low) / (high - low);
  const y = (n) => TOP + (H - TOP - BOTTOM) * (1 - n / most);
  const chart = svg('svg', { viewBox: `0 0 ${W} ${H}`, class: 'histogram', role: 'img', 'aria-label': label });
  for (const n of most > 1 ? [0, most / 2, most] : [0, most]) {
    if (n !== Math.round(n)) continue;
    add(chart, svg('line', { class: 'grid', x1: LEFT_, x2: W - RIGHT, y1: y(n), y2: y(n) }),
      svg('text', { class: 'tick', x: LEFT_ - 6, y: y(n) + 3.5, 'text-anchor': 'end', text: n >= 10000 ? `${Math.round(n / 1000)}k` : String(n) }));
  }
  counts.forEach((n, i) => {
    if (!n) return;
    const a = x((first + i) / histogram.step), b = x((first + i + 1) / histogram.step);
    const top = Math.min(y(n), H - BOTTOM - 1.5);
    const from = 10 ** ((first + i) / histogram.step), to = 10 ** ((first + i + 1) / histogram.step);
    add(chart, svg('rect', {
      class: 'column', x: a + 0.75, width: Math.max(1, b - a - 1.5), y: top, height: H - BOTTOM - top, rx: 1.5,
      on: {
        pointermove: (event) => showTip(event.clientX, event.clientY, [plural(n, 'time'), `${duration(from)} to ${duration(to)}`]),
        pointerleave: hideTip,
      },
    }));
  });
  for (const [e, s] of ticks(low, high)) {
    add(chart, svg('text', { class: 'tick', x: x(e), y: H - 7, 'text-anchor': 'middle', text: tickText(s) }));
  }
  const marks = [['median', stats.median], ['p95', stats.p95]];
  if (threshold) marks.unshift(['threshold', threshold]);
  let free = -Infinity;
  for (const [name, value] of marks.filter(([, v]) => v > 0).sort((a, b) => a[1] - b[1])) {
    const at = x(Math.log10(value));
    if (at < LEFT_ - 1 || at > W - RIGHT + 1) continue;
    add(chart, svg('line', { class: `at at-${name}`, x1: at, x2: at, y1: TOP - 4, y2: H - BOTTOM }));
    if (at > free) {
      const right = at > W - 70;
      add(chart, svg('text', { class: 'name', x: right ? at - 3 : at + 3, y: TOP - 7, 'text-anchor': right ? 'end' : 'start', text: name }));
      free = at + name.length * 6 + 12;
    }
  }
  return chart;
}

function statsList(stats) {
  const rows = stats.n === 1 ? [['once', duration(stats.max)]] : [['count', count(stats.n)], ['total', duration(stats.total)], ['min', duration(stats.min)],
    ['average', duration(stats.avg)], ['median', duration(stats.median)], ['p95', duration(stats.p95)], ['p99', duration(stats.p99)], ['max', duration(stats.max)]];
  return el('dl', { class: 'stats' }, rows.map(([name, value]) => el('div', {}, el('dt', { text: name }), el('dd', { text: value }))));
}

// What the log does not have of those that the shim only counted.
function repeatsNotes(check) {
  const notes = [], summed = check.stats.n - check.stats.measured, unknown = untimed(check);
  if (summed) {
    notes.push(`${count(summed)} of these ${summed === 1 ? 'was' : 'were'} only counted by the shim, with ${summed === 1 ? 'its duration' : 'their sum and the longest'}: count, total, average and max include ${summed === 1 ? 'it' : 'them'}, the rest and the chart do not.`);
  }
  if (unknown > 0) {
    notes.push(`${count(unknown)} more ${unknown === 1 ? 'was' : 'were'} only counted by the shim; how long ${unknown === 1 ? 'it' : 'they'} took is not in the log.`);
  }
  return notes;
}

function drawDurations() {
  const body = $('durations-body');
  const timed = data.checks.filter((c) => c.histogram);
  if (!timed.length) {
    add(body, el('p', { class: 'empty', text: 'No record of this log carries a duration.' }));
    return;
  }
  for (const check of timed) {
    const label = `${check.heading}: ${plural(check.stats.measured, 'duration')}, median ${duration(check.stats.median)}, longest ${duration(check.stats.max)}`;
    add(body, el('figure', { class: `card chart ${familyClass(check.family)}` },
      el('figcaption', {}, el('span', { class: 'what', text: check.heading }), slugTag(check)),
      histogramChart(check.histogram, check.stats, check.threshold, label),
      statsList(check.stats),
      ...repeatsNotes(check).map((text) => el('p', { class: 'muted small', text }))));
  }
}
