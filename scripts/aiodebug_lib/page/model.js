// The data of the page, and how its things are named.

const data = JSON.parse($('data').textContent);
const LEVELS = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'];
const rankOf = (level) => Math.max(0, LEVELS.indexOf(level));
const checkOf = new Map(data.checks.map((c) => [c.slug, c]));
const FRAME = { fn: 0, file: 1, line: 2, source: 3, module: 4, offset: 5, build: 6, inlined: 7, around: 8 };

const familyClass = (name) => `fam-${name in data.families ? name : 'other'}`;

// "parse_order", and "workshop.c:61" beside it.
function placeName(group) {
  if (group.function) return `${group.function}()`;
  if (group.file) return short(group.file);
  return group.place;
}

function placeAt(group) {
  if (group.file) return `${short(group.file)}:${group.line ?? '?'}`;
  return group.function && group.place !== group.function ? group.place.replace(`${group.function} (`, '').replace(/\)$/, '') : '';
}

function placeNode(group) {
  const at = placeAt(group);
  return el('span', { class: 'place', title: group.file ? `${group.file}:${group.line ?? '?'}` : group.place },
    el('code', { class: 'fn', text: placeName(group) }),
    at && at !== placeName(group) ? el('code', { class: 'at', text: at }) : null);
}

function levelTag(level) {
  return el('span', { class: `level level-${LEVELS.includes(level) ? level : 'INFO'}`, text: level });
}

function slugTag(check) {
  return el('code', { class: `slug ${familyClass(check.family)}`, text: check.slug || 'no check' });
}

// What a group's `seconds` says, in a few words. Repeats that were only counted have none.
function timeOf(group) {
  const s = group.stats;
  if (!s) return '';
  const measured = s.n < group.count ? `, ${count(s.n)} measured` : '';
  return s.n === 1 ? `${measured}, ${duration(s.max)}` : `${measured}, ${duration(s.total)} in all`;
}

function laneName(lane) {
  // The kernel keeps 15 letters of a thread's name, which at first is the program's.
  return lane.thread && !lane.program.startsWith(lane.thread) ? `${lane.program} \u00b7 ${lane.thread}` : lane.program;
}

function frameAt(frame) {
  if (frame[FRAME.file]) return `${short(frame[FRAME.file])}:${frame[FRAME.line] ?? '?'}`;
  const module = frame[FRAME.module] ? short(frame[FRAME.module]) : '?';
  return frame[FRAME.offset] === null ? module : `${module}+0x${frame[FRAME.offset].toString(16)}`;
}
