// The panel on the right, the search, and everything the user does.

function element(tag, text, parent) {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (parent) parent.appendChild(e);
  return e;
}
function row(table, name, text) {
  const tr = element('tr', undefined, table);
  element('td', name, tr);
  return element('td', text, tr);
}
function link(node, parent) {
  const a = element('a', `${node.op} ${nameOf(node)}`, parent);
  a.onclick = () => select(node, true);
  return a;
}
// Links to nodes, each with a remark on the right.
function list(title, many, panel, remark) {
  if (!many.length) return;
  element('h3', title, panel);
  const table = element('table', undefined, panel);
  table.className = 'list';
  for (const node of many.slice(0, 40)) {
    const tr = element('tr', undefined, table);
    link(node, element('td', undefined, tr));
    element('td', remark(node), tr).className = 'number';
  }
  if (many.length > 40) element('p', `and ${many.length - 40} more`, panel);
}
const typeOf = node => node.out.length ? values[node.out[0]].type : '';

function showValue(v, panel) {
  const table = element('table', undefined, panel);
  row(table, 'type', v.type);
  row(table, 'bytes', bytesText(v.bytes));
  if (!v.place) return;
  row(table, 'place', v.place === 'arena' ? `arena at ${v.offset}` +
    (v.in_place ? ', in place' : '') : v.place);
  if (v.place === 'arena' || v.place === 'output')
    row(table, 'lives', `step ${v.first} to ${v.last}`);
}

function showNode(node, panel) {
  element('h2', node.op, panel);
  element('p', [nameOf(node), node.backward ? 'backward' : '',
    node.path.join('.')].filter(t => t).join(' · '), panel);
  const table = element('table', undefined, panel);
  if (node.step >= 0) row(table, 'step', node.step);
  if (timeOf(node))
    row(table, 'time', `${timeText(timeOf(node))}, ` +
      (100 * timeOf(node) / data.profile.total).toFixed(1) + ' %');
  if (node.site) row(table, 'recorded', node.site);
  if (node.text) {
    element('h3', 'attributes', panel);
    element('code', node.text, panel);
  }
  node.out.forEach((v, i) => {
    element('h3', node.out.length > 1 ? `result ${i}` : 'result', panel);
    showValue(values[v], panel);
  });
  list('operands', node.in.map(v => values[v].node), panel, typeOf);
  list('read by', node.users, panel, typeOf);
}

function showOverview(panel) {
  element('h2', data.graph, panel);
  element('p', 'Click a node for its details, a scope to open or close it. ' +
    'Drag to move, scroll to zoom.', panel);
  const m = data.memory, table = element('table', undefined, panel);
  row(table, 'arena', `${bytesText(m.arena)} (at least ` +
    `${bytesText(m.lower_bound)})`);
  for (const name of ['params', 'inputs', 'outputs', 'constants', 'scratch'])
    if (m[name]) row(table, name, bytesText(m[name]));
  if (data.profile)
    list('slowest steps', nodes.filter(timeOf)
      .sort((a, b) => timeOf(b) - timeOf(a)).slice(0, 8), panel,
    node => timeText(timeOf(node)));
  const atPeak = stored.filter(v => v.first <= data.peak &&
    v.last >= data.peak && !(v.in_place && v.first === data.peak))
    .sort((a, b) => b.bytes - a.bytes).slice(0, 8);
  list(`in the arena at the peak, step ${data.peak}`, atPeak.map(v => v.node),
    panel, node => bytesText(values[node.out[0]].bytes));
}

function select(node, move) {
  selected = node;
  const panel = byId('details');
  panel.textContent = '';
  panel.scrollTop = 0;
  if (node) showNode(node, panel);
  else showOverview(panel);
  if (node && move) reveal(node);
  history.replaceState(null, '', node ? `#node${node.id}` : '#');
  redraw();
  drawChart();
}

// --- search ----------------------------------------------------------------

function search() {
  const words = byId('search').value.toLowerCase().split(/\s+/).filter(w => w);
  const box = byId('found');
  box.textContent = '';
  box.hidden = !words.length;
  if (!words.length) return;
  const hits = nodes.filter(node => {
    const text = `${node.op} ${nameOf(node)} ${node.site || ''}`.toLowerCase();
    return words.every(word => text.includes(word));
  });
  for (const node of hits.slice(0, 50)) {
    const li = element('li', `${node.op} ${nameOf(node)}`, box);
    li.onmousedown = () => { select(node, true); };
  }
  if (!hits.length) element('li', 'nothing found', box);
  else if (hits.length > 50) element('li', `and ${hits.length - 50} more`, box);
}

// --- the page --------------------------------------------------------------

function showHeader() {
  const title = byId('title');
  title.textContent = data.graph + ' ';
  element('small', data.file, title);
  document.title = `${data.graph} - tapeir view`;
  const facts = [
    [nodes.length, 'nodes'], [data.live.length, 'steps'],
    [bytesText(data.memory.arena), 'arena'],
    [bytesText(data.memory.params), 'parameters'],
  ];
  if (data.profile) facts.push([timeText(data.profile.median_ns), 'a run']);
  for (const [number, what] of facts) {
    const span = element('span', undefined, byId('facts'));
    element('b', number, span);
    span.append(' ' + what);
  }
}

function showLegend() {
  const names = {
    input: 'input', param: 'parameter', constant: 'constant', product: 'product',
    op: 'other op', backward: 'backward', effect: 'state change',
  };
  const used = new Set(nodes.map(kindOf));
  for (const kind of Object.keys(names)) {
    if (!used.has(kind)) continue;
    const span = element('span', undefined, byId('legend'));
    const mark = element('i', undefined, span);
    mark.style.background = `var(--${kind})`;
    mark.style.borderColor = `var(--${kind}-line)`;
    span.append(names[kind]);
  }
}

function showTabs() {
  const tabs = [['memory', 'Memory by step'], ['map', 'Arena map']];
  if (data.profile) tabs.push(['time', 'Time by step']);
  for (const [name, text] of tabs) {
    const button = element('button', text, byId('tabs'));
    button.setAttribute('role', 'tab');
    button.setAttribute('aria-selected', name === tab);
    button.onclick = () => {
      tab = name;
      for (const other of byId('tabs').children)
        other.setAttribute('aria-selected', other === button);
      drawChart();
    };
  }
}

function showTip(event, text) {
  const tip = byId('tip');
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  const y = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8);
  tip.style.left = x + 'px';
  tip.style.top = y + 'px';
}

function listen() {
  let drag = null, moved = false;
  canvas.onpointerdown = event => {
    drag = { x: event.clientX, y: event.clientY };
    moved = false;
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = event => {
    if (drag) {
      const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
      moved = moved || Math.abs(dx) + Math.abs(dy) > 4;
      if (!moved) return;
      view.x += dx;
      view.y += dy;
      drag = { x: event.clientX, y: event.clientY };
      redraw();
      return;
    }
    const item = itemAt(event);
    canvas.style.cursor = item ? 'pointer' : 'grab';
    showTip(event, item && (item.isScope ? `${pathText(item)}: ${item.count}` +
      ' nodes' : `${item.op} ${nameOf(item)}\n` +
      item.out.map(v => values[v].type).join(', ')));
    if (item !== hovered) { hovered = item; redraw(); }
  };
  canvas.onpointerup = event => {
    drag = null;
    if (moved) return;
    const item = itemAt(event);
    if (item && item.isScope) toggle(item);
    else select(item, false);
  };
  canvas.onpointerleave = event => showTip(event, '');
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    const area = canvas.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * 0.0015), event.clientX - area.left,
      event.clientY - area.top);
  }, { passive: false });
  chart.onmousemove = event => {
    const at = pointed(event);
    showTip(event, at && at.text);
  };
  chart.onmouseleave = event => showTip(event, '');
  chart.onclick = event => {
    const at = pointed(event);
    if (at && at.node) select(at.node, true);
  };
  byId('zoom-in').onclick = () => zoom(1.3, sight.w / 2, sight.h / 2);
  byId('zoom-out').onclick = () => zoom(1 / 1.3, sight.w / 2, sight.h / 2);
  byId('fit').onclick = () => fit(0);
  byId('expand').onclick = () => setAll(true);
  byId('collapse').onclick = () => setAll(false);
  const input = byId('search');
  input.oninput = search;
  input.onblur = () => { byId('found').hidden = true; };
  input.onfocus = search;
  input.onkeydown = event => {
    const first = byId('found').firstChild;
    if (event.key === 'Enter' && first && first.onmousedown) first.onmousedown();
  };
  onkeydown = event => {
    if (event.key === 'Escape') { input.blur(); select(null, false); return; }
    if (event.target === input) return;
    if (event.key === '/') { event.preventDefault(); input.focus(); }
    if (event.key === '+') zoom(1.3, sight.w / 2, sight.h / 2);
    if (event.key === '-') zoom(1 / 1.3, sight.w / 2, sight.h / 2);
    if (event.key === '0') fit(0);
  };
}

function adapt() {
  readColours();
  sight = resize(canvas, pen);
  room = resize(chart, ink);
  redraw();
  drawChart();
}

if (data.profile)
  data.profile.total = data.profile.steps.reduce((sum, ns) => sum + ns, 0) || 1;
openSome(40);
showHeader();
showLegend();
showTabs();
listen();
layOutAll();
adapt();
fit(0.7);
// A page can be linked to at a node: page.html#node12.
const linked = nodes[Number((/^#node(\d+)$/.exec(location.hash) || [])[1])];
select(linked || null, true);
onresize = adapt;
matchMedia('(prefers-color-scheme: dark)').onchange = adapt;
document.documentElement.dataset.ready = 'yes';
