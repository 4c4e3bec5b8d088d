'use strict';
// The data of the page: nodes, values, scopes, and how numbers are written.

const data = JSON.parse(document.getElementById('data').textContent);
const nodes = data.nodes, values = data.values;
const byId = id => document.getElementById(id);

nodes.forEach((node, index) => {
  node.id = index;
  node.users = [];
  for (const v of node.out) values[v].node = node;
});
nodes.forEach(node => {
  for (const v of new Set(node.in)) values[v].node.users.push(node);
});
const nodeOfStep = [];
for (const node of nodes) if (node.step >= 0) nodeOfStep[node.step] = node;
const timeOf = node =>
  data.profile && node.step >= 0 ? data.profile.steps[node.step] || 0 : 0;
const slowest = data.profile ? Math.max(1, ...data.profile.steps) : 1;

const nameOf = node => node.out.length ? values[node.out[0]].name : '';
const isPort = node => node.op === 'input' || node.op === 'param';
const isSmall = node => isPort(node) || node.op === 'constant';

function kindOf(node) {
  if (node.op === 'input') return 'input';
  if (node.op === 'param') return 'param';
  if (node.op === 'constant') return 'constant';
  if (node.op === 'assign' || data.families[node.op] === 'optim') return 'effect';
  if (node.backward) return 'backward';
  return /matmul|conv|gemm/.test(node.op) ? 'product' : 'op';
}

function bytesText(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (n >= 1024 && unit < 4) { n /= 1024; unit++; }
  return (unit ? n.toFixed(1) : n) + ' ' + units[unit];
}
function timeText(ns) {
  if (ns < 1e4) return Math.round(ns) + ' ns';
  return ns < 1e7 ? (ns / 1e3).toFixed(1) + ' µs' : (ns / 1e6).toFixed(1) +
    ' ms';
}

// --- scopes ----------------------------------------------------------------
// A scope is what stands before the last '.' or '/' of a name. A node without
// one belongs where its parameters do, else where its first operand does; what
// a gradient rule made belongs to the scope of its node, under "backward".

function partsOf(name) {
  if (!name || name[0] === '%') return null;
  const parts = name.split(/[./]/).filter(part => part);
  return parts.length > 1 ? parts.slice(0, -1) : null;
}

function findScopes() {
  const ofOrigin = new Map();
  for (const node of nodes) {
    if (node.backward && node.origin && ofOrigin.has(node.origin)) {
      node.path = ['backward', ...ofOrigin.get(node.origin)];
      continue;
    }
    node.path = partsOf(nameOf(node));
    if (!node.path && !isPort(node)) {
      const makers = node.in.map(v => values[v].node);
      const param = makers.find(m => m.op === 'param' && m.path.length);
      const from = param || makers.find(m => !isSmall(m));
      node.path = from ? from.path : [];
      if (node.backward && node.path[0] !== 'backward')
        node.path = ['backward', ...node.path];
    }
    node.path = node.path || [];
    if (!node.backward) ofOrigin.set(node.origin, node.path);
  }
}

function makeScope(name, parent) {
  return {
    name, parent, isScope: true, open: false, scopes: new Map(), nodes: [],
    depth: parent ? parent.depth + 1 : 0, count: 0, time: 0,
  };
}

findScopes();
const root = makeScope('', null);
root.open = true;
const scopes = [root];
for (const node of nodes) {
  let scope = root;
  for (const part of node.path) {
    if (!scope.scopes.has(part)) {
      scope.scopes.set(part, makeScope(part, scope));
      scopes.push(scope.scopes.get(part));
    }
    scope = scope.scopes.get(part);
  }
  node.parent = scope;
  node.depth = scope.depth + 1;
  scope.nodes.push(node);
  for (let s = scope; s; s = s.parent) {
    s.count++;
    s.time += timeOf(node);
    s.first = s.first === undefined ? node.id : s.first;
  }
}
const pathText = scope => scope.parent && scope.parent.parent ?
  pathText(scope.parent) + '.' + scope.name : scope.name;

// Opens scopes, outer ones first, while the picture stays small.
function openSome(limit) {
  let shown = root.nodes.length + root.scopes.size;
  for (const scope of scopes) {
    if (scope === root || !scope.parent.open) continue;
    const more = scope.nodes.length + scope.scopes.size;
    if (shown + more > limit) continue;
    scope.open = true;
    shown += more;
  }
}
