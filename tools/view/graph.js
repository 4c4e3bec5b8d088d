// Drawing the graph on a canvas: only what is in sight, text when it is large
// enough to read.

const canvas = byId('graph-canvas'), pen = canvas.getContext('2d');
const view = { x: 0, y: 0, scale: 1 };
let selected = null, hovered = null, drawSoon = false;
let colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = new Proxy({}, {
    get: (cache, name) => cache[name] ||
      (cache[name] = style.getPropertyValue('--' + name).trim()),
  });
}

function resize(target, context) {
  const box = target.parentElement.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  target.width = Math.max(1, box.width * ratio);
  target.height = Math.max(1, box.height * ratio);
  target.style.width = box.width + 'px';
  target.style.height = box.height + 'px';
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { w: box.width, h: box.height };
}

let sight = { w: 1, h: 1 };

function box(x, y, w, h, r) {
  pen.beginPath();
  pen.moveTo(x + r, y);
  pen.arcTo(x + w, y, x + w, y + h, r);
  pen.arcTo(x + w, y + h, x, y + h, r);
  pen.arcTo(x, y + h, x, y, r);
  pen.arcTo(x, y, x + w, y, r);
  pen.closePath();
}

function inSight(x0, y0, x1, y1) {
  return x1 * view.scale + view.x > 0 && y1 * view.scale + view.y > 0 &&
    x0 * view.scale + view.x < sight.w && y0 * view.scale + view.y < sight.h;
}

function drawEdge(edge) {
  const { from, to } = edge;
  const x0 = from.x + from.w / 2, y0 = from.y + from.h;
  const x1 = to.x + to.w / 2, y1 = to.y;
  if (!inSight(Math.min(x0, x1) - 60, Math.min(y0, y1) - 60,
    Math.max(x0, x1) + 60, Math.max(y0, y1) + 60)) return;
  const bend = Math.max(14, Math.min(90, Math.abs(y1 - y0) / 2));
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.bezierCurveTo(x0, y0 + bend, x1, y1 - bend, x1, y1 - 5);
  pen.stroke();
  if (view.scale < 0.35) return;
  pen.beginPath();
  pen.moveTo(x1 - 3.5, y1 - 6);
  pen.lineTo(x1 + 3.5, y1 - 6);
  pen.lineTo(x1, y1);
  pen.fill();
}

function drawText(text, x, y, font, colour, width) {
  pen.font = font;
  pen.fillStyle = colour;
  pen.fillText(text, x, y, width);
}

function drawScope(scope) {
  box(scope.x, scope.y, scope.w, scope.h, 8);
  pen.fillStyle = colours.scope;
  pen.globalAlpha = scope.open ? 0.75 : 1;
  pen.fill();
  pen.globalAlpha = 1;
  pen.strokeStyle = scope === hovered ? colours.accent : colours.line;
  pen.lineWidth = 1.2;
  pen.stroke();
  if (view.scale * 12 < 3.2) return;
  const title = (scope.open ? '▾ ' : '▸ ') + scope.name;
  pen.textAlign = scope.open ? 'left' : 'center';
  const x = scope.open ? scope.x + 10 : scope.x + scope.w / 2;
  drawText(title, x, scope.y + 17, LABEL_FONT, colours.text, scope.w - 12);
  if (!scope.open)
    drawText(scope.count + ' nodes' + (scope.time ? ', ' +
      timeText(scope.time) : ''), x, scope.y + 33, SMALL_FONT, colours.dim,
    scope.w - 8);
}

function drawNode(node) {
  const kind = kindOf(node);
  box(node.x, node.y, node.w, node.h, isSmall(node) ? node.h / 2 : 6);
  pen.fillStyle = colours[kind];
  pen.fill();
  const heat = timeOf(node) / slowest;
  if (heat > 0.02) {
    pen.save();
    pen.clip();
    pen.fillStyle = colours.hot;
    pen.globalAlpha = 0.75;
    pen.fillRect(node.x, node.y + node.h - 4, node.w * heat, 4);
    pen.restore();
  }
  pen.strokeStyle = node === selected || node === hovered ? colours.accent
    : colours[kind + '-line'];
  pen.lineWidth = node === selected ? 3 : 1.2;
  pen.stroke();
  if (view.scale * 12 < 3.2) return;
  pen.textAlign = 'center';
  const x = node.x + node.w / 2;
  if (isSmall(node)) {
    drawText(node.label, x, node.y + 15, SMALL_FONT, colours.text, node.w - 8);
  } else {
    drawText(node.op, x, node.y + 16, LABEL_FONT, colours.text, node.w - 8);
    drawText(node.label, x, node.y + 30, SMALL_FONT, colours.dim, node.w - 8);
  }
}

function draw() {
  drawSoon = false;
  pen.clearRect(0, 0, sight.w, sight.h);
  pen.save();
  pen.translate(view.x, view.y);
  pen.scale(view.scale, view.scale);
  const see = item => inSight(item.x, item.y, item.x + item.w, item.y + item.h);
  for (const item of shownItems)
    if (item.isScope && see(item)) drawScope(item);
  const focus = selected && shownFor(selected);
  pen.strokeStyle = pen.fillStyle = colours.edge;
  pen.lineWidth = 1.1;
  const marked = [];
  for (const edge of shownEdges)
    if (focus && (edge.from === focus || edge.to === focus)) marked.push(edge);
    else drawEdge(edge);
  pen.strokeStyle = pen.fillStyle = colours.accent;
  pen.lineWidth = 1.8;
  marked.forEach(drawEdge);
  for (const item of shownItems)
    if (!item.isScope && see(item)) drawNode(item);
  pen.restore();
}

function redraw() {
  if (drawSoon) return;
  drawSoon = true;
  requestAnimationFrame(draw);
}

// --- moving about ----------------------------------------------------------

// The whole graph, or from the top on where it would get smaller than
// `least`, which is no reading size.
function fit(least) {
  const room = 50;
  const all = Math.min((sight.w - room) / root.w, (sight.h - room) / root.h);
  view.scale = Math.min(1.1, Math.max(all, least));
  view.x = (sight.w - root.w * view.scale) / 2;
  view.y = all < least ? 50 : (sight.h - root.h * view.scale) / 2;
  redraw();
}

function zoom(factor, x, y) {
  const scale = Math.min(4, Math.max(0.02, view.scale * factor));
  view.x = x - (x - view.x) * scale / view.scale;
  view.y = y - (y - view.y) * scale / view.scale;
  view.scale = scale;
  redraw();
}

function itemAt(event) {
  const area = canvas.getBoundingClientRect();
  const x = (event.clientX - area.left - view.x) / view.scale;
  const y = (event.clientY - area.top - view.y) / view.scale;
  for (let i = shownItems.length - 1; i >= 0; i--) {
    const item = shownItems[i];
    // Of an open scope only the title is to be taken.
    const h = item.isScope && item.open ? TITLE : item.h;
    if (x >= item.x && x <= item.x + item.w && y >= item.y && y <= item.y + h)
      return item;
  }
  return null;
}

function toggle(scope) {
  const x = scope.x, y = scope.y;
  scope.open = !scope.open;
  layOutAll();
  // The scope stays where it was on the screen.
  view.x += (x - scope.x) * view.scale;
  view.y += (y - scope.y) * view.scale;
  redraw();
}

function reveal(node) {
  let changed = false;
  for (let s = node.parent; s; s = s.parent)
    if (!s.open) { s.open = true; changed = true; }
  if (changed) layOutAll();
  if (view.scale < 0.55) view.scale = 0.8;
  const x = (node.x + node.w / 2) * view.scale + view.x;
  const y = (node.y + node.h / 2) * view.scale + view.y;
  if (changed || x < 60 || y < 60 || x > sight.w - 60 || y > sight.h - 60) {
    view.x += sight.w / 2 - x;
    view.y += sight.h / 2 - y;
  }
}

function setAll(open) {
  for (const scope of scopes) if (scope !== root) scope.open = open;
  layOutAll();
  fit(0.2);
}
