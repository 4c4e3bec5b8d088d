// Layout: every open scope is laid out by itself in layers, inner ones first,
// and is then a box in its parent's layout.

const GAP_X = 18, GAP_Y = 34, PAD = 14, TITLE = 24;
const measure = document.createElement('canvas').getContext('2d');
const LABEL_FONT = '600 12px system-ui, sans-serif';
const SMALL_FONT = '11px system-ui, sans-serif';
const widths = new Map();

function textWidth(text, font) {
  const key = font + text;
  if (!widths.has(key)) {
    measure.font = font;
    widths.set(key, measure.measureText(text).width);
  }
  return widths.get(key);
}
const shorten = text => text.length > 34 ? text.slice(0, 33) + '…' : text;

function sizeOf(item) {
  if (item.isScope) {
    if (item.open) return;
    item.w = Math.max(90, textWidth(item.name, LABEL_FONT) + 30);
    item.h = 42;
  } else if (isSmall(item)) {
    item.label = shorten(nameOf(item));
    item.w = Math.max(34, textWidth(item.label, SMALL_FONT) + 20);
    item.h = 22;
  } else {
    item.label = shorten(nameOf(item));
    item.w = Math.max(70, textWidth(item.op, LABEL_FONT) + 22,
      textWidth(item.label, SMALL_FONT) + 22);
    item.h = 38;
  }
}

// The item of `scope` that holds `node`.
function itemIn(scope, node) {
  if (node.parent === scope) return node;
  let s = node.parent;
  while (s.parent !== scope) s = s.parent;
  return s;
}
function commonScope(a, b) {
  let x = a.parent, y = b.parent;
  while (x !== y) if (x.depth >= y.depth) x = x.parent; else y = y.parent;
  return x;
}
const isShown = scope => {
  for (let s = scope; s; s = s.parent) if (!s.open) return false;
  return true;
};
function shownFor(node) {
  let found = node;
  for (let s = node.parent; s; s = s.parent) if (!s.open) found = s;
  return found;
}
const orderOf = item => item.isScope ? item.first : item.id;

function layers(items) {
  items.sort((a, b) => orderOf(a) - orderOf(b));
  items.forEach((item, i) => { item.at = i; });
  for (const item of items) {
    // A closed scope may both feed and follow an item: order breaks the tie.
    item.before = [...item.before].filter(b => b.at < item.at);
    item.rank = item.before.reduce((r, b) => Math.max(r, b.rank + 1), 0);
  }
  for (const item of items) item.after = [];
  for (const item of items) for (const b of item.before) b.after.push(item);
  // What has no operands stands just above its first reader.
  for (const item of items)
    if (!item.before.length && item.after.length)
      item.rank = Math.min(...item.after.map(a => a.rank)) - 1;
  const least = Math.min(...items.map(item => item.rank));
  const out = [];
  for (const item of items) {
    item.rank -= least;
    (out[item.rank] = out[item.rank] || []).push(item);
  }
  return out.filter(row => row);
}

const mean = (list, of) =>
  list.reduce((sum, item) => sum + of(item), 0) / list.length;

function orderRows(rows) {
  rows.forEach(row => row.forEach((item, i) => { item.slot = i; }));
  for (let sweep = 0; sweep < 6; sweep++) {
    const down = sweep % 2 === 0;
    const list = down ? rows : [...rows].reverse();
    for (const row of list) {
      for (const item of row) {
        const near = down ? item.before : item.after;
        item.want = near.length ? mean(near, n => n.slot + n.rank * 1e-6)
          : item.slot;
      }
      row.sort((a, b) => a.want - b.want || a.slot - b.slot);
      row.forEach((item, i) => { item.slot = i; });
    }
  }
}

// Centres as near as possible to what is wanted, without overlaps: the mean of
// packing from the left and packing from the right.
function place(row, want) {
  const left = [], right = [];
  row.forEach((item, i) => {
    const from = i ? left[i - 1] + (row[i - 1].w + item.w) / 2 + GAP_X
      : -Infinity;
    left[i] = Math.max(want(item), from);
  });
  for (let i = row.length - 1; i >= 0; i--) {
    const to = i + 1 < row.length ?
      right[i + 1] - (row[i + 1].w + row[i].w) / 2 - GAP_X : Infinity;
    right[i] = Math.min(want(row[i]), to);
  }
  row.forEach((item, i) => { item.cx = (left[i] + right[i]) / 2; });
}

function layOut(scope) {
  const items = [...scope.scopes.values(), ...scope.nodes];
  items.forEach(sizeOf);
  const rows = items.length ? layers(items) : [];
  orderRows(rows);
  for (const row of rows) place(row, item => item.cx0 || 0);
  for (let sweep = 0; sweep < 8; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? rows : [...rows].reverse())
      place(row, item => {
        const near = down ? item.before : item.after;
        return near.length ? mean(near, n => n.cx) : item.cx;
      });
  }
  let y = scope === root ? 0 : TITLE + PAD;
  let left = Infinity, right = -Infinity;
  for (const row of rows) {
    const height = Math.max(...row.map(item => item.h));
    for (const item of row) {
      item.ry = y + (height - item.h) / 2;
      left = Math.min(left, item.cx - item.w / 2);
      right = Math.max(right, item.cx + item.w / 2);
    }
    y += height + GAP_Y;
  }
  if (!items.length) left = right = 0;
  const least = textWidth(scope.name, LABEL_FONT) + 30;
  const slack = Math.max(0, least - (right - left)) / 2;
  for (const item of items) item.rx = item.cx - item.w / 2 - left + slack + PAD;
  scope.w = Math.max(right - left, least) + 2 * PAD;
  scope.h = y - GAP_Y + PAD;
}

let shownItems = [], shownEdges = [];

function layOutAll() {
  const open = scopes.filter(isShown);
  for (const scope of open)
    for (const item of [...scope.scopes.values(), ...scope.nodes]) {
      item.before = new Set();
      item.cx = 0;
    }
  const edges = new Map();
  for (const user of nodes)
    for (const v of user.in) {
      const maker = values[v].node, scope = commonScope(maker, user);
      if (!isShown(scope)) continue;
      const a = itemIn(scope, maker), b = itemIn(scope, user);
      if (a === b) continue;
      b.before.add(a);
      const from = shownFor(maker), to = shownFor(user);
      const key = (from.isScope ? 's' : 'n') + orderOf(from) + '.' + from.depth +
        ':' + (to.isScope ? 's' : 'n') + orderOf(to) + '.' + to.depth;
      if (!edges.has(key)) edges.set(key, { from, to, n: 0 });
      edges.get(key).n++;
    }
  for (let i = open.length - 1; i >= 0; i--) layOut(open[i]);
  root.x = root.y = 0;
  shownItems = [];
  for (const scope of open)
    for (const item of [...scope.scopes.values(), ...scope.nodes]) {
      item.x = scope.x + item.rx;
      item.y = scope.y + item.ry;
      shownItems.push(item);
    }
  shownEdges = [...edges.values()];
}
