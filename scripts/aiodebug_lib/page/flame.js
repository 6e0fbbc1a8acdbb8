// Flame graphs, root on top. A node is a button, placed by its share of the root that is zoomed to; what is
// narrower than a few pixels is left out, so that there are never more elements than pixels. One node is in the
// order of focus, the arrow keys go from there.

const flame = { tree: null, root: null, nodes: [], focus: null, matches: null, query: '' };
const FLAME_MIN = 2; // pixels

function flameLoad(source) {
  // [name, weight, children] -> nodes that know their parent, place and depth.
  const build = (raw, parent, start, depth) => {
    const node = { name: source.names[raw[0]], value: raw[1], parent, start, depth, children: [] };
    let at = start;
    for (const child of raw[2]) {
      node.children.push(build(child, node, at, depth + 1));
      at += child[1];
    }
    return node;
  };
  return build(source.root, null, 0, 0);
}

const flameValue = (n) => (flame.source.unit === 's' ? duration(n) : count(n));

function flameLabel(node) {
  const total = flame.tree.value;
  const zoomed = flame.root !== flame.tree && flame.root.value ? `, ${percent(node.value / flame.root.value)} of ${flame.root.name}` : '';
  return `${node.name}: ${flameValue(node.value)}, ${percent(node.value / total)} of all${zoomed}`;
}

function flameVisible() {
  // What is drawn when zoomed to flame.root: its ancestors at full width, and all below it that is wide enough.
  const width = $('flame-canvas').clientWidth || 800;
  const rows = [];
  const chain = [];
  for (let n = flame.root.parent; n; n = n.parent) chain.unshift(n);
  for (const node of chain) rows.push({ node, x: 0, w: width, above: true });
  const scale = width / (flame.root.value || 1);
  const stack = [flame.root];
  while (stack.length) {
    const node = stack.pop();
    const x = (node.start - flame.root.start) * scale, w = node.value * scale;
    if (w < FLAME_MIN) continue;
    rows.push({ node, x, w, above: false });
    for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i]);
  }
  return rows;
}

function flameMatches(query) {
  // The nodes whose name has the words, and how much of the whole is below them, nothing counted twice.
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  const found = new Set();
  let weight = 0;
  const walk = (node, inside) => {
    const name = node.name.toLowerCase();
    const hit = words.every((word) => name.includes(word));
    if (hit) {
      found.add(node);
      if (!inside) weight += node.value;
    }
    for (const child of node.children) walk(child, inside || hit);
  };
  walk(flame.tree, false);
  return { found, weight };
}

const ROW = 22;

function flameDraw() {
  const canvas = $('flame-canvas');
  const visible = flameVisible();
  const nodes = new Map();
  if (!flame.focus || !visible.some((v) => v.node === flame.focus)) flame.focus = flame.root;
  let depth = 0;
  const had = canvas.contains(document.activeElement);
  canvas.replaceChildren(...visible.map(({ node, x, w, above }) => {
    depth = Math.max(depth, node.depth);
    const button = el('button', {
      type: 'button', role: 'treeitem', tabindex: node === flame.focus ? '0' : '-1', 'aria-level': String(node.depth + 1),
      'aria-label': flameLabel(node), 'aria-expanded': node.children.length ? 'true' : null,
      class: `frame shade${node.depth ? shade(node.name, 6) : 'root'}${above ? ' above' : ''}${flame.matches && flame.matches.found.has(node) ? ' match' : ''}`,
      style: { left: `${x}px`, width: `${Math.max(1, w - 1)}px`, top: `${node.depth * ROW}px` },
    });
    if (w > 24) {
      const [fn, at] = node.name.split('  ');
      add(button, el('span', { text: node.depth ? fn : `all, ${flameValue(node.value)}` }));
      if (at && w > 120) add(button, el('span', { class: 'where', text: at }));
    }
    button.node = node;
    nodes.set(node, button);
    return button;
  }));
  canvas.style.height = `${(depth + 1) * ROW}px`;
  flame.nodes = nodes;
  if (had) nodes.get(flame.focus).focus({ preventScroll: true });
  canvas.classList.toggle('searching', Boolean(flame.matches));
  $('flame-reset').disabled = flame.root === flame.tree;
  flameStatus();
}

function flameStatus() {
  const parts = [];
  if (flame.root !== flame.tree) parts.push(`Zoomed to ${flame.root.name}, ${flameValue(flame.root.value)}, ${percent(flame.root.value / flame.tree.value)} of all.`);
  if (flame.matches) {
    parts.push(flame.matches.found.size ? `${plural(flame.matches.found.size, 'frame')} ${flame.matches.found.size === 1 ? 'matches' : 'match'}, ${percent(flame.matches.weight / flame.tree.value)} of all.` : 'No frame matches.');
  }
  $('flame-status').textContent = parts.join(' ') || flame.source.about;
}

function flameZoom(node) {
  flame.root = node;
  flame.focus = node;
  flameDraw();
}

function flameFocus(node) {
  if (!node) return;
  if (!flame.nodes.has(node)) return;
  const before = flame.nodes.get(flame.focus);
  if (before) before.tabIndex = -1;
  flame.focus = node;
  const button = flame.nodes.get(node);
  button.tabIndex = 0;
  button.focus({ preventScroll: false });
}

function flameKey(event) {
  const node = flame.focus;
  const visible = (list) => list.filter((n) => flame.nodes.has(n));
  const beside = (step) => {
    const peers = node.parent ? visible(node.parent.children) : [node];
    return peers[peers.indexOf(node) + step];
  };
  const first = () => visible(node.children).sort((a, b) => b.value - a.value)[0];
  const actions = {
    ArrowDown: () => flameFocus(first()),
    ArrowUp: () => flameFocus(node.parent),
    ArrowRight: () => flameFocus(beside(1)),
    ArrowLeft: () => flameFocus(beside(-1)),
    Home: () => flameFocus(flame.root),
    Enter: () => flameZoom(node),
    ' ': () => flameZoom(node),
    Escape: () => flameZoom(flame.tree),
    Backspace: () => { if (flame.root.parent) flameZoom(flame.root.parent); },
  };
  if (actions[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    event.stopPropagation();
    actions[event.key]();
  }
}

function flameSelect(index) {
  flame.source = data.flames[index];
  flame.tree = flameLoad(flame.source);
  flame.root = flame.focus = flame.tree;
  flame.matches = flameMatches(flame.query);
  $('flame-canvas').className = `flame unit-${flame.source.unit}`;
  $('flame-canvas').setAttribute('aria-label', flame.source.title);
  document.querySelectorAll('#flame-tabs button').forEach((b, i) => b.setAttribute('aria-pressed', String(i === index)));
  flameDraw();
}

function flameSearch(query) {
  flame.query = query;
  flame.matches = flameMatches(query);
  flameDraw();
}

function drawFlame() {
  const body = $('flame-body');
  if (!data.flames.length) {
    add(body, el('p', { class: 'empty', text: 'There is nothing to draw: no record tells of a blocked loop or of something left behind.' }));
    return;
  }
  const canvas = el('div', {
    id: 'flame-canvas', class: 'flame', role: 'tree', on: {
      keydown: flameKey,
      click: (event) => { const b = event.target.closest('button'); if (b) flameZoom(b.node); },
      focusin: (event) => { const b = event.target.closest('button'); if (b && b.node !== flame.focus) flameFocus(b.node); },
      pointermove: (event) => {
        const b = event.target.closest('button');
        if (b) showTip(event.clientX, event.clientY, [b.node.name, `${flameValue(b.node.value)}, ${percent(b.node.value / flame.tree.value)} of all`]);
        else hideTip();
      },
      pointerleave: hideTip,
    },
  });
  add(body,
    el('div', { class: 'controls' },
      el('div', { id: 'flame-tabs', class: 'chips', role: 'group', 'aria-label': 'Which flame graph' },
        data.flames.map((f, i) => el('button', { type: 'button', 'aria-pressed': 'false', text: f.title, on: { click: () => flameSelect(i) } }))),
      el('label', { class: 'search' }, el('span', { class: 'unseen', text: 'Search frames' }),
        el('input', { type: 'search', id: 'flame-search', placeholder: 'Search frames', autocomplete: 'off', spellcheck: 'false',
          on: { input: debounce(120, (event) => flameSearch(event.target.value)) } })),
      el('button', { type: 'button', id: 'flame-reset', text: 'Reset zoom', on: { click: () => flameZoom(flame.tree) } })),
    el('p', { id: 'flame-status', class: 'about', role: 'status' }),
    el('div', { class: 'card flame-box' }, canvas),
    el('p', { class: 'muted small noprint' }, 'Click or ', el('kbd', { text: 'Enter' }), ' zooms, ', el('kbd', { text: 'Esc' }), ' resets, arrow keys go from frame to frame.'));
  flameSelect(0);
  new ResizeObserver(debounce(60, () => flameDraw())).observe(canvas.parentElement);
}
