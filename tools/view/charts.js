// The charts below the graph: bytes in use by step, the arena by step and
// offset, and times.

const chart = byId('chart-canvas'), ink = chart.getContext('2d');
const LEFT = 74, RIGHT = 14, TOP = 24, BOTTOM = 24;
let room = { w: 1, h: 1 }, tab = 'memory';
const nSteps = Math.max(1, data.live.length);
const stored = values.filter(v => v.place === 'arena');

const stepX = step => LEFT + step / nSteps * (room.w - LEFT - RIGHT);
const heightY = part => room.h - BOTTOM - part * (room.h - TOP - BOTTOM);
const stepAt = x => Math.min(nSteps - 1, Math.max(0,
  Math.floor((x - LEFT) / (room.w - LEFT - RIGHT) * nSteps)));

function write(text, x, y, align, colour) {
  ink.font = SMALL_FONT;
  ink.textAlign = align;
  ink.fillStyle = colour || colours.dim;
  ink.fillText(text, x, y);
}

function drawScale(most, text) {
  ink.strokeStyle = colours.line;
  ink.lineWidth = 1;
  for (let i = 0; i <= 2; i++) {
    const y = Math.round(heightY(i / 2)) + 0.5;
    ink.beginPath();
    ink.moveTo(LEFT, y);
    ink.lineTo(room.w - RIGHT, y);
    ink.stroke();
    write(text(most * i / 2), LEFT - 8, y + 4, 'right');
  }
  const raw = Math.max(1, nSteps / 12), power = 10 ** Math.floor(
    Math.log10(raw));
  const each = power * [1, 2, 5, 10].find(times => times * power >= raw);
  for (let step = 0; step < nSteps; step += each)
    write(step, (stepX(step) + stepX(step + 1)) / 2, room.h - 8, 'center');
  write('step', LEFT - 8, room.h - 8, 'right');
}

function drawBars(list, most, colourOf) {
  const wide = stepX(1) - stepX(0);
  // More steps than pixels: the largest of each pixel is drawn.
  let lastX = -1, lastTop = 0;
  list.forEach((amount, step) => {
    const x = Math.floor(stepX(step));
    const top = heightY(amount / most);
    if (x === lastX && top >= lastTop) return;
    lastX = x;
    lastTop = top;
    ink.fillStyle = colourOf(step);
    const from = wide < 2 ? x : stepX(step);
    ink.fillRect(from, top, Math.max(1, wide - (wide > 4 ? 1 : 0)),
      room.h - BOTTOM - top);
  });
}

const barColour = step => nodeOfStep[step] && nodeOfStep[step].backward ?
  colours['bar-back'] : colours.bar;

function drawMemory() {
  const most = Math.max(1, data.memory.arena, ...data.live);
  drawScale(most, bytesText);
  drawBars(data.live, most, step => step === data.peak ? colours.hot
    : barColour(step));
  const text = 'peak ' + bytesText(data.live[data.peak] || 0) + ' at step ' +
    data.peak;
  const half = textWidth(text, SMALL_FONT) / 2;
  const x = Math.min(room.w - RIGHT - half, Math.max(LEFT + half,
    stepX(data.peak + 0.5)));
  write(text, x, TOP - 8, 'center', colours.text);
}

const hueOf = text => {
  let hash = 0;
  for (const c of text) hash = (hash * 31 + c.charCodeAt(0)) % 360;
  return hash;
};
function spanOf(v, most) {
  const x = stepX(v.first), y = heightY((v.offset + v.bytes) / most);
  return {
    x, y, w: Math.max(1, stepX(v.last + 1) - x - 0.5),
    h: Math.max(1, heightY(v.offset / most) - y - 0.5),
  };
}

function drawMap() {
  const most = Math.max(1, data.memory.arena);
  drawScale(most, bytesText);
  for (const v of stored) {
    const s = spanOf(v, most);
    const mine = selected && selected.out.some(o => values[o] === v);
    ink.fillStyle = `hsl(${hueOf(v.node.op)} 52% 66% / ${mine ? 1 : 0.86})`;
    ink.fillRect(s.x, s.y, s.w, s.h);
    if (mine) {
      ink.strokeStyle = colours.accent;
      ink.lineWidth = 2;
      ink.strokeRect(s.x, s.y, s.w, s.h);
    }
    const text = v.node.op + ' ' + v.name;
    if (s.h > 13 && s.w > textWidth(text, SMALL_FONT) + 8)
      write(text, s.x + 5, s.y + s.h / 2 + 4, 'left', '#111');
  }
}

function drawTime() {
  drawScale(slowest, timeText);
  drawBars(data.profile.steps, slowest, barColour);
}

function drawLife() {
  if (!selected || tab === 'map') return;
  ink.fillStyle = colours.accent;
  for (const o of selected.out) {
    const v = values[o];
    if (v.first === undefined) continue;
    ink.fillRect(stepX(v.first), room.h - BOTTOM + 1,
      Math.max(2, stepX(v.last + 1) - stepX(v.first)), 4);
  }
}

function drawChart() {
  ink.clearRect(0, 0, room.w, room.h);
  if (tab === 'memory') drawMemory();
  else if (tab === 'map') drawMap();
  else drawTime();
  drawLife();
}

function pointed(event) {
  const area = chart.getBoundingClientRect();
  const x = event.clientX - area.left, y = event.clientY - area.top;
  if (x < LEFT || x > room.w - RIGHT) return null;
  const step = stepAt(x);
  if (tab === 'map') {
    const most = Math.max(1, data.memory.arena);
    const v = stored.find(one => {
      const s = spanOf(one, most);
      return x >= s.x && x <= s.x + s.w && y >= s.y && y <= s.y + s.h;
    });
    return v ? {
      node: v.node, text: `${v.node.op} ${v.name}: ${bytesText(v.bytes)}\n` +
        `steps ${v.first} to ${v.last}, offset ${v.offset}`,
    } : null;
  }
  const node = nodeOfStep[step];
  const what = node ? `${node.op} ${nameOf(node)}` : '';
  const amount = tab === 'memory' ? bytesText(data.live[step] || 0) + ' in use'
    : timeText(data.profile.steps[step] || 0);
  return { node, text: `step ${step} ${what}\n${amount}` };
}
