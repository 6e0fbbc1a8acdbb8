// The top of the page: what is wrong, how often, where, and what to do.

function drawHeadline() {
  const wrong = data.checks.filter((c) => rankOf(c.level) >= 2);
  const findings = wrong.reduce((sum, c) => sum + c.count, 0);
  const blocked = data.checks.reduce((sum, c) => sum + c.blocked, 0);
  const [first, last] = data.span;
  const share = blockedShare();
  $('title').textContent = data.title;
  const programs = [...new Set(data.processes.map((p) => p.program))];
  const named = programs.length > 3 ? `${programs.slice(0, 3).join(', ')} and ${programs.length - 3} more` : programs.join(', ');
  const parts = [];
  if (programs.length) parts.push(`${named}, ${plural(data.process_count, 'process', 'processes')}`);
  if (first !== null) parts.push(`${moment(first)}, over ${duration(Math.max(last - first, 1e-6))}`);
  parts.push(plural(data.records, 'record'));
  $('subtitle').textContent = parts.join('  \u00b7  ');

  const longest = Math.max(0, ...data.checks.filter((c) => c.family === 'time' && c.stats).map((c) => c.stats.max));
  const left = data.groups.filter((g) => LEFT.has(g.check)).reduce((sum, g) => sum + g.count, 0);
  const figures = [
    ['Findings', count(findings), `of ${plural(wrong.length, 'kind')}, in ${plural(wrong.reduce((s, c) => s + c.places, 0), 'place')}`],
    ['Loops blocked', blocked ? duration(blocked) : 'never', share !== null ? `${percent(share)} of the time logged${data.blocked_more ? ', at least' : ''}` : 'as far as the log tells'],
    ['Longest block', longest ? duration(longest) : 'none', longest ? longestPlace(longest) : ''],
    ['Left behind', count(left), 'handles, tasks, coroutines'],
  ];
  $('figures').replaceChildren(...figures.map(([name, value, note]) => el('div', {},
    el('dt', { text: name }), el('dd', { text: value }), el('dd', { class: 'note', text: note || '\u00a0' }))));
}

const LEFT = new Set(['task-destroyed-pending', 'coroutine-never-awaited', 'unclosed-loop', 'unclosed-transport', 'unclosed-handle',
  'handle-destroyed-active', 'loop-busy-at-close', 'request-pending-at-exit']);

// How much of the time that the log covers its loops were blocked: for the loops that have enough records for that to
// be more than chance, and only when those are most of what was blocked. null: the log does not tell.
function blockedShare() {
  let blocked = 0, span = 0, all = 0;
  for (const lane of data.lanes) {
    const process = data.processes[lane.process];
    all += lane.blocked;
    if (process && process.first !== null && lane.blocked > 0 && lane.records >= 10) {
      blocked += lane.blocked;
      span += process.last - process.first;
    }
  }
  return span > 0 && blocked > 0.8 * all ? blocked / span : null;
}

function longestPlace(longest) {
  const group = data.groups.find((g) => g.family === 'time' && g.stats && g.stats.max === longest);
  return group ? `in ${placeName(group)}` : '';
}

function verdictPlaces(check) {
  const shown = check.groups.slice(0, 3).map((n) => [n, data.groups[n]]);
  const list = el('ol', { class: 'places' }, shown.map(([n, group]) => el('li', {},
    el('a', { class: 'to', href: '#findings', on: { click: (event) => { event.preventDefault(); openFinding(n); } } }, placeNode(group)),
    el('span', { class: 'often', text: `${count(group.count)}\u00d7${timeOf(group)}` }),
    group.source ? el('code', { class: 'line', text: group.source }) : null)));
  if (check.places > shown.length) {
    add(list, el('li', { class: 'more' }, el('a', {
      href: '#findings', text: `${plural(check.places - shown.length, 'more place')}`,
      on: { click: (event) => { event.preventDefault(); showFindings({ check: check.slug }); } },
    })));
  }
  return list;
}

// How many repeats there were of whose durations the log tells nothing.
function untimed(check) {
  return check.repeats - (check.stats ? check.stats.n - check.stats.measured : 0);
}

function verdictSentence(check) {
  const s = check.stats;
  const parts = [`${plural(check.count, 'time')} in ${plural(check.places, 'place')}`];
  if (s && untimed(check)) parts.push(`${count(s.n)} of them measured`);
  if (s && s.n > 1) parts.push(`${duration(s.total)} in all`, `median ${duration(s.median)}`, `longest ${duration(s.max)}`);
  else if (s) parts.push(duration(s.max));
  if (check.threshold !== null && s) parts.push(`threshold ${duration(check.threshold)}`);
  if (check.repeats && !s) parts.push(`${count(check.repeats)} only counted`);
  return parts.join(', ');
}

function drawVerdicts() {
  const wrong = data.checks.filter((c) => rankOf(c.level) >= 2);
  const quiet = data.checks.filter((c) => rankOf(c.level) < 2);
  const cards = wrong.map((check) => el('article', { class: `card verdict ${familyClass(check.family)}` },
    el('header', {}, el('h3', { text: check.heading }), el('div', { class: 'tags' }, levelTag(check.level), slugTag(check))),
    el('p', { class: 'sum', text: verdictSentence(check) }),
    verdictPlaces(check),
    check.hint ? el('p', { class: 'fix' }, el('strong', { text: 'To fix it: ' }), check.hint + (/[.!?]$/.test(check.hint) ? '' : '.')) : null));
  const list = $('verdict-list');
  if (!cards.length) {
    add(list, el('p', { class: 'empty', text: data.records
      ? 'Nothing wrong was logged: no record is a warning or graver.'
      : 'The log has no records: either nothing was wrong, or the program never loaded the shim.' }));
  }
  add(list, el('div', { class: 'cards' }, cards));
  if (quiet.length) {
    add(list, el('p', { class: 'muted small', text: 'Below a warning, and so no verdict: ' +
      quiet.map((c) => `${c.slug || 'other reports'} (${c.level}, ${count(c.count)})`).join(', ') + '.' }));
  }
}
