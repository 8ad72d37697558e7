// The drawing: contours of two variables with paths on them, or the curve of one with tangents. On canvas, since the
// path moves with every step; heights are computed anew for every view, fewer of them while it moves.
"use strict";

function plane(box, world) {
  const SIDE = { moving: 80, still: 300 };
  const PAD = { left: 58, right: 10, top: 10, bottom: 40 };
  const canvas = box.querySelector("canvas");
  const ground = document.createElement("canvas");
  const pen = canvas.getContext("2d");
  let size = { w: 0, h: 0, ratio: 1 };
  let view = null; // { x: [low, high], y: [low, high] }
  let pointer = null;
  let later = 0;
  let known = {}; // colours, until the page changes: to ask for one costs a layout
  const style = (name) => (known[name] ??= getComputedStyle(box).getPropertyValue(name).trim());
  const letters = () => (known.letters ??= parseFloat(getComputedStyle(document.documentElement).fontSize) / 16);
  const flat = () => world.axes().length === 1;

  const scales = () => ({
    x: d3.scaleLinear(view.x, [PAD.left, size.w - PAD.right]),
    y: d3.scaleLinear(view.y, [size.h - PAD.bottom, PAD.top]),
  });

  function resize() {
    known = {};
    const w = box.clientWidth;
    const h = Math.round(Math.max(260, Math.min((world.rows ? 0.95 : 0.72) * w, window.innerHeight - 230)));
    size = { w, h, ratio: window.devicePixelRatio || 1 };
    for (const one of [canvas, ground]) {
      one.width = w * size.ratio;
      one.height = h * size.ratio;
    }
    canvas.style.height = `${h}px`;
    terrain(false);
  }

  // Heights between which levels are drawn: below the k-th of n lies (k/n)**2 of the area, so that a valley shows.
  function levels(values, count = 14) {
    const kept = Float64Array.from(values.filter(Number.isFinite)).sort();
    if (!kept.length) return [];
    const found = d3.range(1, count).map((k) => kept[Math.round((kept.length - 1) * (k / count) ** 2)]);
    return [...new Set(found)];
  }

  function grid(side) {
    const { x, y } = scales();
    const n = side;
    const m = Math.max(20, Math.round((side * size.h) / size.w));
    const across = d3.range(n).map((i) => x.invert(PAD.left + ((size.w - PAD.left - PAD.right) * i) / (n - 1)));
    const up = d3.range(m).map((j) => y.invert(PAD.top + ((size.h - PAD.top - PAD.bottom) * j) / (m - 1)));
    return { across, up };
  }

  function terrain(still) {
    if (!view || !size.w) return;
    clearTimeout(later);
    if (!still) later = setTimeout(() => terrain(true), 160);
    const ink = ground.getContext("2d");
    ink.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    ink.fillStyle = style("--paper");
    ink.fillRect(0, 0, size.w, size.h);
    if (flat()) curve(ink);
    else contours(ink, world.rows ? (still ? 90 : 40) : still ? SIDE.still : SIDE.moving);
    draw();
  }

  function contours(ink, side) {
    const { across, up } = grid(side);
    const values = new Float64Array(across.length * up.length);
    up.forEach((b, j) => across.forEach((a, i) => (values[j * across.length + i] = world.height(a, b))));
    const scene = { xs: across, ys: up };
    const { x, y } = scales();
    ink.save();
    clip(ink);
    const drawn = chart.bands(scene, x, y);
    const heights = levels(Array.from(values));
    const colour = chart.ramp(box);
    ink.fillStyle = colour(0);
    ink.fillRect(0, 0, size.w, size.h);
    drawn(values, heights).forEach((outline, k) => {
      const shape = new Path2D(outline ?? "");
      ink.fillStyle = colour((k + 1) / heights.length);
      ink.fill(shape);
      ink.strokeStyle = style("--level");
      ink.lineWidth = 0.6;
      ink.stroke(shape);
    });
    forbidden(ink, drawn, across, up);
    ink.restore();
  }

  // What constraints do not allow is shaded; their edges are lines.
  function forbidden(ink, drawn, across, up) {
    world.constraints.forEach((one, c) => {
      const slack = new Float64Array(across.length * up.length);
      up.forEach((b, j) => across.forEach((a, i) => (slack[j * across.length + i] = world.slack(c, a, b))));
      if (!one.equation) {
        ink.fillStyle = style("--text");
        ink.globalAlpha = 0.28;
        ink.fill(new Path2D(drawn(slack.map((v) => -v), [0])[0] ?? ""));
        ink.globalAlpha = 1;
      }
      ink.strokeStyle = style("--text");
      ink.lineWidth = 1.4;
      ink.stroke(new Path2D(drawn(slack, [0])[0] ?? ""));
    });
  }

  function clip(ink) {
    ink.beginPath();
    ink.rect(PAD.left, PAD.top, size.w - PAD.left - PAD.right, size.h - PAD.top - PAD.bottom);
    ink.clip();
  }

  function curve(ink) {
    const { x, y } = scales();
    ink.save();
    clip(ink);
    const places = d3.range(PAD.left, size.w - PAD.right + 1, 1).map((px) => x.invert(px));
    const line = d3.line((v) => x(v), (v) => y(world.height(v))).defined((v) => Number.isFinite(world.height(v)));
    ink.strokeStyle = style("--accent");
    ink.lineWidth = 2;
    ink.stroke(new Path2D(line(places) ?? ""));
    ink.restore();
  }

  function axes() {
    const { x, y } = scales();
    pen.fillStyle = style("--quiet");
    pen.strokeStyle = style("--line");
    pen.font = `${12 * letters()}px system-ui, sans-serif`;
    pen.lineWidth = 1;
    pen.strokeRect(PAD.left, PAD.top, size.w - PAD.left - PAD.right, size.h - PAD.top - PAD.bottom);
    pen.textAlign = "center";
    x.ticks(Math.max(3, size.w / 90)).forEach((v) => pen.fillText(chart.number(v), x(v), size.h - PAD.bottom + 16));
    pen.textAlign = "right";
    y.ticks(Math.max(3, size.h / 70)).forEach((v) => pen.fillText(chart.number(v), PAD.left - 6, y(v) + 4));
    pen.fillStyle = style("--text");
    pen.font = `${13 * letters()}px system-ui, sans-serif`;
    pen.textAlign = "center";
    const [first, second] = world.labels();
    pen.fillText(first, (PAD.left + size.w - PAD.right) / 2, size.h - 8);
    pen.save();
    pen.translate(13, (PAD.top + size.h - PAD.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    pen.fillText(second, 0, 0);
    pen.restore();
  }

  const place = (run, k) => {
    const [i, j] = world.axes();
    return [run.points[k][i], j === undefined ? world.sign * run.values[k] : run.points[k][j]];
  };

  function path(run, upto, colour, active) {
    const { x, y } = scales();
    const far = 1e5; // beyond it a line is cut, which a canvas could not draw
    const at = (k) => place(run, k).map((v, c) => Math.max(-far, Math.min(far, c ? y(v) : x(v))));
    const last = Math.min(upto, run.points.length - 1);
    pen.strokeStyle = colour;
    pen.lineWidth = active ? 2 : 1.4;
    pen.globalAlpha = active ? 1 : 0.75;
    pen.beginPath();
    for (let k = 0; k <= last; k += 1) pen.lineTo(...at(k));
    pen.stroke();
    pen.fillStyle = colour;
    if (last <= 400) {
      for (let k = 1; k <= last; k += 1) dot(...at(k), active ? 2.6 : 2);
    }
    pen.globalAlpha = 1;
    dot(...at(last), 5);
    pen.strokeStyle = style("--paper");
    pen.lineWidth = 1.5;
    pen.stroke();
  }

  function dot(px, py, radius) {
    pen.beginPath();
    pen.arc(px, py, radius, 0, 2 * Math.PI);
    pen.fill();
  }

  function tangents(run, upto, colour) {
    const { x, y } = scales();
    const half = 0.09 * (view.x[1] - view.x[0]);
    pen.strokeStyle = colour;
    pen.lineWidth = 1;
    for (let k = Math.max(0, upto - 3); k <= Math.min(upto, run.points.length - 1); k += 1) {
      const [a, b] = place(run, k);
      const slope = world.sign * world.gradient(run.points[k])[world.axes()[0]];
      const reach = half / Math.hypot(1, (slope * (view.x[1] - view.x[0])) / (view.y[1] - view.y[0]));
      pen.beginPath();
      pen.moveTo(x(a - reach), y(b - slope * reach));
      pen.lineTo(x(a + reach), y(b + slope * reach));
      pen.stroke();
    }
  }

  // The gradient at the pointer (downhill), and the level line through it.
  function compass() {
    if (!pointer || flat()) return;
    const { x, y } = scales();
    const at = [x.invert(pointer[0]), y.invert(pointer[1])];
    const g = world.slope(at);
    const along = [-g[0] * Math.abs(x(1) - x(0)), g[1] * Math.abs(y(1) - y(0))];
    const long = Math.hypot(...along);
    if (!(long > 0)) return;
    const [dx, dy] = along.map((v) => (34 * v) / long);
    pen.strokeStyle = pen.fillStyle = style("--text");
    pen.lineWidth = 1.6;
    pen.beginPath();
    pen.moveTo(...pointer);
    pen.lineTo(pointer[0] + dx, pointer[1] + dy);
    pen.stroke();
    dot(pointer[0] + dx, pointer[1] + dy, 3);
    if (world.rows) return;
    const { across, up } = grid(70);
    const values = new Float64Array(across.length * up.length);
    up.forEach((b, j) => across.forEach((a, i) => (values[j * across.length + i] = world.height(a, b))));
    const line = chart.bands({ xs: across, ys: up }, x, y)(values, [world.height(...at)])[0];
    pen.setLineDash([4, 3]);
    pen.stroke(new Path2D(line ?? ""));
    pen.setLineDash([]);
  }

  function star(px, py) {
    pen.fillStyle = style("--text");
    pen.fill(new Path2D(d3.symbol(d3.symbolStar, 110)().replace(/([ML])([^MLZ]*)/g, (all, letter, rest) => {
      const [a, b] = rest.split(",").map(Number);
      return `${letter}${a + px},${b + py}`;
    })));
  }

  function draw() {
    if (!view || !size.w) return;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.drawImage(ground, 0, 0);
    pen.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
    axes();
    pen.save();
    clip(pen);
    const { x, y } = scales();
    if (world.answer) star(x(world.answer[0]), y(world.answer[1]));
    for (const { run, upto, colour, active } of world.runs()) {
      if (flat() && active) tangents(run, upto, colour);
      path(run, upto, colour, active);
    }
    const [a, b] = world.start();
    pen.strokeStyle = style("--text");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x(a), y(b), 8, 0, 2 * Math.PI);
    pen.stroke();
    compass();
    pen.restore();
  }

  function zoom(factor, [px, py] = [size.w / 2, size.h / 2]) {
    const { x, y } = scales();
    const about = ([low, high], at) => [at + (low - at) / factor, at + (high - at) / factor];
    view = { x: about(view.x, x.invert(px)), y: about(view.y, y.invert(py)) };
    terrain(false);
  }

  function pan(dx, dy) {
    const { x, y } = scales();
    const across = x.invert(0) - x.invert(dx);
    const up = y.invert(0) - y.invert(dy);
    view = { x: view.x.map((v) => v + across), y: view.y.map((v) => v + up) };
    terrain(false);
  }

  const where = (event) => d3.pointer(event, canvas);
  const isStart = (at) => {
    const { x, y } = scales();
    const [a, b] = world.start();
    return Math.hypot(x(a) - at[0], y(b) - at[1]) < 22;
  };
  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    const at = where(event);
    held = { at, first: at, start: isStart(at), moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = where(event);
    pointer = at;
    if (!held) {
      canvas.style.cursor = isStart(at) ? "grab" : "crosshair";
      draw();
      return;
    }
    if (Math.hypot(at[0] - held.first[0], at[1] - held.first[1]) > 4) held.moved = true;
    if (held.start) moveTo(at);
    else if (held.moved) pan(at[0] - held.at[0], at[1] - held.at[1]);
    held.at = at;
  });
  canvas.addEventListener("pointerup", (event) => {
    if (held && !held.moved) moveTo(where(event));
    held = null;
  });
  canvas.addEventListener("pointerleave", () => {
    pointer = null;
    draw();
  });
  canvas.addEventListener("wheel", (event) => {
    if (!(event.ctrlKey || event.metaKey || document.activeElement === canvas)) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, where(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const sides = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(0.8);
    else if (event.key === "0") world.fit();
    else if (sides[event.key]) {
      const [dx, dy] = sides[event.key];
      if (event.shiftKey) pan(-40 * dx, -40 * dy);
      else {
        const { x, y } = scales();
        const [a, b] = world.start();
        moveTo([x(a) + 6 * dx, y(b) + 6 * dy]);
      }
    } else return;
    event.preventDefault();
  });

  function moveTo([px, py]) {
    const { x, y } = scales();
    // To the digits that a pixel tells: a start that can be typed.
    const round = (scale, at) => {
      const step = Math.abs(scale.invert(1) - scale.invert(0));
      const digits = Math.max(0, Math.min(12, -Math.floor(Math.log10(step))));
      return Number(scale.invert(at).toFixed(digits));
    };
    world.moveStart(flat() ? [round(x, px)] : [round(x, px), round(y, py)]);
  }

  return {
    draw, resize, zoom,
    terrain: () => terrain(true),
    quick: () => terrain(false),
    show(x, y) { view = { x, y }; terrain(true); },
    get view() { return view; },
    axisSize: () => size,
  };
}
