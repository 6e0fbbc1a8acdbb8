// Every finding: a table that is filtered, sorted and shown a page at a time; a row opens to its stacks.

const FIND = { query: '', family: '', check: '', sort: 'gravity', shown: 40, open: new Set() };
const FIND_PAGE = 40;
const SORTS = [['gravity', 'Gravest first'], ['count', 'Most frequent'], ['longest', 'Longest'], ['recent', 'Latest']];

function findText(group) {
  if (group.text === undefined) {
    const check = checkOf.get(group.check);
    group.text = [group.check, check ? check.heading : '', group.place, group.file, group.program, group.source, ...(group.messages || []), ...(group.objects || []),
      ...(group.traces || []).flatMap((t) => [...t.errors, ...t.stacks.flatMap((s) => s.frames.map((f) => data.frames[f][FRAME.fn] || ''))])].join('\n').toLowerCase();
  }
  return group.text;
}

function findingList() {
  const words = FIND.query.toLowerCase().split(/\s+/).filter(Boolean);
  const list = [];
  data.groups.forEach((group, i) => {
    if (FIND.family === 'left' ? !LEFT.has(group.check) : FIND.family && group.family !== FIND.family) return;
    if (FIND.check && group.check !== FIND.check) return;
    if (!words.every((w) => findText(group).includes(w))) return;
    list.push(i);
  });
  const keys = {
    count: (g) => g.count, longest: (g) => (g.stats ? g.stats.max : -1), recent: (g) => g.last ?? -Infinity,
  };
  const key = keys[FIND.sort];
  if (key) list.sort((a, b) => key(data.groups[b]) - key(data.groups[a]) || a - b);
  return list;
}

function sparkline(columns, label) {
  const most = Math.max(...columns);
  const chart = svg('svg', { class: 'spark', viewBox: '0 0 120 22', role: 'img', 'aria-label': label, preserveAspectRatio: 'none' });
  columns.forEach((n, i) => {
    if (n) {
      const h = Math.max(3, 20 * n / most);
      add(chart, svg('rect', { x: i * 3, y: 22 - h, width: 2.2, height: h }));
    }
  });
  return chart;
}

function findingRow(n) {
  const group = data.groups[n];
  const check = checkOf.get(group.check);
  const open = FIND.open.has(n);
  const detail = Boolean(group.traces);
  const toggle = el('button', {
    type: 'button', class: 'toggle', id: `finding-${n}`, 'aria-expanded': detail ? String(open) : null, 'aria-controls': detail ? `detail-${n}` : null, disabled: !detail,
    on: { click: () => { if (FIND.open.has(n)) FIND.open.delete(n); else FIND.open.add(n); drawFindingRows(`finding-${n}`); } },
  }, el('span', { class: 'chevron', 'aria-hidden': 'true' }), el('span', { class: 'words' }, el('span', { class: 'what', text: check.heading }), slugTag(check)));
  const when = group.spark ? sparkline(group.spark, `from ${clock(group.first)} to ${clock(group.last)}`) : null;
  const row = el('tr', { class: `finding ${familyClass(group.family)}${open ? ' open' : ''}` },
    el('td', { class: 'c-what' }, toggle),
    el('td', { class: 'c-level' }, levelTag(group.level)),
    el('td', { class: 'c-where' }, placeNode(group), el('span', { class: 'program', text: group.program || '' })),
    el('td', { class: 'c-count' }, el('span', { text: `${count(group.count)}\u00d7` })),
    el('td', { class: 'c-time' }, group.stats ? [el('span', { text: duration(group.stats.max) }), group.stats.n > 1 ? el('span', { class: 'note', text: `median ${duration(group.stats.median)}` }) : null] : null),
    el('td', { class: 'c-when' }, when || (group.first !== null ? el('span', { class: 'note', text: clock(group.first, 3) }) : null)));
  if (!open || !detail) return [row];
  return [row, el('tr', { class: 'detail', id: `detail-${n}` }, el('td', { colspan: '6' }, findingDetail(group, check)))];
}

const ROLE = {
  created: 'Created at', call: 'Called at', scheduled: 'Scheduled at', closed: 'Closed first at', freed: 'Freed at',
  raised: 'Error raised at', running: 'The thread was at', suspended: 'The task stands at',
};

function frameNode(number, last) {
  const f = data.frames[number];
  const item = el('li', { class: last ? 'frame-line innermost' : 'frame-line' });
  const head = el('div', { class: 'frame-head' },
    el('code', { class: 'fn', text: f[FRAME.fn] || '??' }),
    el('code', { class: 'at', text: frameAt(f), title: f[FRAME.file] ? `${f[FRAME.file]}:${f[FRAME.line]}` : `${f[FRAME.module] || ''}${f[FRAME.build] ? `, build-id ${f[FRAME.build]}` : ''}` }),
    f[FRAME.inlined] ? el('span', { class: 'note', text: 'inlined' }) : null);
  add(item, head);
  const text = data.sources[f[FRAME.around]];
  if (text) {
    const code = el('div', { class: 'code', hidden: !last }, sourceLines(text, f[FRAME.line]));
    const line = f[FRAME.source] !== null && !last ? el('code', { class: 'line', text: f[FRAME.source] }) : null;
    add(head, el('button', {
      type: 'button', class: 'quiet small', 'aria-expanded': String(last), text: 'source', 'aria-label': `Source around ${frameAt(f)}`,
      on: { click: (event) => { code.hidden = !code.hidden; if (line) line.hidden = !code.hidden; event.currentTarget.setAttribute('aria-expanded', String(!code.hidden)); } },
    }));
    if (line) add(item, line);
    add(item, code);
  } else if (f[FRAME.source]) {
    add(item, el('code', { class: 'line', text: f[FRAME.source] }));
  }
  return item;
}

function sourceLines([first, lines], wanted) {
  let indent = Infinity;
  for (const text of lines) if (text.trim()) indent = Math.min(indent, text.length - text.trimStart().length);
  return lines.map((text, i) => el('div', { class: first + i === wanted ? 'row here' : 'row' },
    el('span', { class: 'number', text: String(first + i) }), el('code', { text: text.slice(indent) || ' ' })));
}

function stackNode(stack) {
  const title = (stack.title || ROLE[stack.role] || stack.role).replace(/\s*\(most recent call last\)\s*:?$/, '').replace(/:$/, '');
  return el('div', { class: 'stack' }, el('h4', {}, title, el('span', { class: 'note', text: ' most recent call last' })),
    stack.frames.length ? el('ol', { class: 'frames' }, stack.frames.map((f, i) => frameNode(f, i === stack.frames.length - 1)))
      : el('p', { class: 'muted small', text: 'No frames were kept.' }));
}

function findingDetail(group, check) {
  const box = el('div', { class: 'inside' });
  const hint = (group.traces[0] && group.traces[0].hint) || check.hint;
  if (hint) add(box, el('p', { class: 'fix' }, el('strong', { text: 'To fix it: ' }), hint + (/[.!?]$/.test(hint) ? '' : '.')));
  const around = group.around >= 0 ? data.sources[group.around] : null;
  const told = group.traces.some((t) => t.stacks.some((s) => s.frames.some((f) => data.frames[f][FRAME.around] === group.around)));
  if (around && !told) {
    add(box, el('div', { class: 'stack' }, el('h4', {}, `${placeName(group)} `, el('span', { class: 'note', text: `${group.file}:${group.line}` })),
      el('div', { class: 'code' }, sourceLines(around, group.line))));
  }
  group.traces.forEach((trace, i) => {
    if (group.traces.length > 1) add(box, el('h3', { class: 'variant', text: `Stacks ${i + 1} of ${group.trace_count}, ${plural(trace.count, 'record')}` }));
    if (trace.stacks.length) add(box, el('div', { class: 'stacks' }, trace.stacks.map(stackNode)));
    else if (!around) add(box, el('p', { class: 'muted small', text: 'This record carries no stack.' }));
    for (const error of trace.errors) add(box, el('p', { class: 'error' }, el('code', { text: error })));
  });
  const facts = [];
  facts.push(['Messages', el('ul', { class: 'plain' }, group.messages.map((m) => el('li', {}, el('code', { text: m }))))]);
  const objects = group.objects.filter((o) => !group.messages.some((m) => m.includes(o)));
  if (objects.length) facts.push(['Objects', el('ul', { class: 'plain' }, objects.map((o) => el('li', {}, el('code', { text: o }))))]);
  const context = group.context.filter(([, v]) => !group.objects.includes(v));
  if (context.length) facts.push(['Context', el('ul', { class: 'plain' }, context.map(([k, v]) => el('li', {}, el('code', { text: `${k}: ${v}` }))))]);
  if (group.stats) facts.push(['Durations', statsList(group.stats)]);
  if (group.first !== null) facts.push(['When', el('span', { text: group.first === group.last ? moment(group.first) : `${moment(group.first)} to ${clock(group.last)}` })]);
  const processes = group.processes.map(([p, n]) => { const q = data.processes[p]; return q ? `${q.program} ${q.pid ?? '?'} (${count(n)}\u00d7)` : ''; }).filter(Boolean);
  facts.push([group.process_count === 1 ? 'Process' : 'Processes', el('span', { text: processes.join(', ') + (group.process_count > processes.length ? ` and ${group.process_count - processes.length} more` : '') })]);
  if (group.repeats) facts.push(['Counted', el('span', { text: `${count(group.records)} written out, ${count(group.repeats)} more only counted by the shim` })]);
  add(box, el('dl', { class: 'facts' }, facts.map(([k, v]) => el('div', {}, el('dt', { text: k }), el('dd', {}, v)))));
  return box;
}

function drawFindingRows(focus) {
  const list = findingList();
  const shown = list.slice(0, FIND.shown);
  $('findings-rows').replaceChildren(...shown.flatMap(findingRow));
  const total = list.reduce((sum, n) => sum + data.groups[n].count, 0);
  let text = `${plural(list.length, 'place')}, ${plural(total, 'finding')}`;
  if (FIND.check) text += ` of ${FIND.check}`;
  if (shown.length < list.length) text += `; the first ${shown.length} are shown`;
  if (data.group_count > data.groups.length) text += `. ${plural(data.group_count - data.groups.length, 'more place')} (${count(data.hidden_weight)} findings) did not fit the page`;
  $('findings-status').textContent = `${text}.`;
  $('findings-more').hidden = shown.length >= list.length;
  $('findings-none').hidden = list.length > 0;
  $('findings-table').hidden = list.length === 0;
  $('findings-clear').hidden = !FIND.check && !FIND.query && !FIND.family;
  document.querySelectorAll('#findings-chips button').forEach((b) => b.setAttribute('aria-pressed', String(b.value === FIND.family)));
  if (focus && $(focus)) $(focus).focus({ preventScroll: true });
}

function showFindings(change) {
  Object.assign(FIND, { query: '', family: '', check: '', shown: FIND_PAGE }, change);
  $('findings-search').value = FIND.query;
  drawFindingRows();
  goTo('findings');
}

// Opens one finding and goes to it, whatever was filtered before.
function openFinding(n) {
  FIND.open.add(n);
  if (!findingList().slice(0, FIND.shown).includes(n)) {
    Object.assign(FIND, { query: '', family: '', check: '' });
    $('findings-search').value = '';
    FIND.shown = Math.max(FIND.shown, Math.ceil((findingList().indexOf(n) + 1) / FIND_PAGE) * FIND_PAGE);
  }
  drawFindingRows();
  const button = $(`finding-${n}`);
  button.scrollIntoView({ block: 'start' });
  button.focus({ preventScroll: true });
}

function drawFindings() {
  const body = $('findings-body');
  if (!data.groups.length) {
    add(body, el('p', { class: 'empty', text: 'The log has no records.' }));
    return;
  }
  const present = [...new Set(data.groups.map((g) => g.family))];
  const families = [['', 'All'], ...Object.keys(data.families).filter((f) => present.includes(f)).map((f) => [f, data.families[f].name])];
  if (data.groups.some((g) => LEFT.has(g.check))) families.splice(1, 0, ['left', 'Left behind']);
  add(body,
    el('div', { class: 'controls' },
      el('div', { id: 'findings-chips', class: 'chips', role: 'group', 'aria-label': 'Family' },
        families.map(([value, name]) => el('button', { type: 'button', value, class: value in data.families ? familyClass(value) : '', 'aria-pressed': 'false',
          on: { click: () => { FIND.family = value; FIND.check = ''; FIND.shown = FIND_PAGE; drawFindingRows(); } } },
        value in data.families ? el('span', { class: 'dot', 'aria-hidden': 'true' }) : null, name)))),
    el('div', { class: 'controls' },
      el('label', { class: 'search' }, el('span', { class: 'unseen', text: 'Filter findings' }),
        el('input', { type: 'search', id: 'findings-search', placeholder: 'Filter by function, file, message', autocomplete: 'off', spellcheck: 'false',
          on: { input: debounce(120, (event) => { FIND.query = event.target.value; FIND.shown = FIND_PAGE; drawFindingRows(); }) } })),
      el('label', { class: 'choice' }, 'Order ', el('select', { id: 'findings-sort', on: { change: (event) => { FIND.sort = event.target.value; drawFindingRows(); } } },
        SORTS.map(([value, name]) => el('option', { value, text: name })))),
      el('button', { type: 'button', id: 'findings-clear', text: 'Clear filters', hidden: true, on: { click: () => showFindings({}) } })),
    el('p', { id: 'findings-status', class: 'about', role: 'status' }),
    el('div', { class: 'card table-box' }, el('table', { id: 'findings-table', class: 'table' },
      el('caption', { class: 'unseen', text: 'Findings by place; the button in the first column opens the stacks' }),
      el('thead', {}, el('tr', {}, ['What', 'Level', 'Where', 'Count', 'Longest', 'When'].map((h) => el('th', { scope: 'col', text: h })))),
      el('tbody', { id: 'findings-rows' })),
    el('p', { id: 'findings-none', class: 'empty', hidden: true, text: 'Nothing matches.' })),
    el('button', { type: 'button', id: 'findings-more', text: `Show ${FIND_PAGE} more`, on: { click: () => {
      const before = FIND.shown;
      FIND.shown += FIND_PAGE;
      drawFindingRows();
      const list = findingList();
      if (list[before] !== undefined) $(`finding-${list[before]}`).focus();
    } } }));
  if (data.groups[0].traces) FIND.open.add(0);
  drawFindingRows();
}
