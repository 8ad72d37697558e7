// The page to play with descent: one state, shown by the drawing, the charts, the table and the command, changed by the
// controls, kept in the address.
"use strict";

(() => {
  const given = JSON.parse(document.getElementById("given").textContent);
  const of = descent.objective(given);
  const at = (id) => document.getElementById(id);
  const COLOURS = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
  const n = given.names.length;
  const method = (name) => given.methods.find((m) => m.name === name);
  let inks = {};
  const css = (colour) => (inks[colour] ??=
    getComputedStyle(document.body).getPropertyValue(`--ink-${colour.slice(1).toLowerCase()}`).trim() || colour);

  const state = {
    method: "gd", lr: given.lr ?? 0.1, keep: 0.9, noise: 0, seed: 0, steps: given.rows ? 60 : 100, start: given.start,
    batch: 0, shuffle: 0, schedule: "constant", k: 5000, axes: given.axes, others: "held", kept: [], h: -4,
  };
  let run = null;
  let kept = [];
  let curvature = null;
  let least = null;
  let surveyed = false;
  let judging = 0;
  let judged = "";
  let playing = 0;

  // -- the state in the address ---------------------------------------------------------------------------------------

  const NUMBERS = ["lr", "keep", "noise", "seed", "steps", "batch", "shuffle", "k", "h"];
  const KEPT = ["method", "lr", "keep", "noise", "seed", "steps", "start", "batch", "shuffle", "schedule"];

  function read() {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const name of NUMBERS) {
      const value = Number(asked.get(name));
      if (asked.has(name) && Number.isFinite(value)) state[name] = value;
    }
    if (method(asked.get("method"))) state.method = asked.get("method");
    if (asked.get("schedule") === "decay") state.schedule = "decay";
    if (asked.get("others") === "following") state.others = "following";
    const start = numbers(asked.get("start"));
    if (start.length === n) state.start = start;
    const axes = numbers(asked.get("axes")).filter((i) => Number.isInteger(i) && i >= 0 && i < n);
    if (n > 1 && axes.length === 2 && axes[0] !== axes[1]) state.axes = axes;
    try {
      state.kept = JSON.parse(asked.get("kept") ?? "[]").filter((s) => method(s.method) && s.start?.length === n).slice(0, 5);
    } catch {
      state.kept = [];
    }
    state.steps = Math.max(1, Math.min(5000, Math.round(state.steps)));
    state.lr = state.lr > 0 ? state.lr : 0.1;
  }

  const numbers = (text) => (text ? text.split(",").map(Number).filter(Number.isFinite) : []);

  function address() {
    const parts = new URLSearchParams();
    for (const name of [...NUMBERS, "method", "schedule", "others"]) parts.set(name, String(state[name]));
    parts.set("start", state.start.join(","));
    parts.set("axes", state.axes.join(","));
    if (state.kept.length) parts.set("kept", JSON.stringify(state.kept));
    return `#${parts}`;
  }

  let writing = 0;
  function remember() {
    clearTimeout(writing);
    writing = setTimeout(() => {
      try {
        history.replaceState(null, "", address());
      } catch {
        location.replace(address());
      }
    }, 200);
  }

  // -- what the drawing asks ------------------------------------------------------------------------------------------

  const full = (place) => {
    const base = state.others === "following" && run ? run.points[Math.min(state.k, run.points.length - 1)] : state.start;
    const p = [...base];
    state.axes.forEach((i, c) => (p[i] = place[c]));
    return p;
  };
  const world = {
    rows: given.rows, constraints: given.constraints, sign: given.sign, bounds: given.bounds,
    axes: () => state.axes,
    labels: () => (n > 1 ? state.axes.map((i) => given.names[i]) : [given.names[0], "value"]),
    height(...place) {
      const value = of.value(full(place));
      return n > 1 ? value : given.sign * value;
    },
    gradient: (p) => of.gradient(p),
    slope(place) {
      const g = of.gradient(full(place));
      return state.axes.map((i) => g[i]);
    },
    slack(c, ...place) {
      const all = [];
      limits.values(full(place), all);
      const before = given.constraints.slice(0, c).reduce((sum, one) => sum + one.lower.length, 0);
      const { lower, upper, equation } = given.constraints[c];
      return Math.min(...lower.map((low, i) => {
        const v = all[before + i];
        if (equation) return v - low;
        return Math.min(v - (low ?? -Infinity), (upper[i] ?? Infinity) - v);
      }));
    },
    get answer() {
      if (!given.answer) return null;
      return n > 1 ? state.axes.map((i) => given.answer[i]) : [given.answer[0], given.sign * of.value(given.answer)];
    },
    start: () => (n > 1 ? state.axes.map((i) => state.start[i]) : [state.start[0], given.sign * of.value(state.start)]),
    runs: () => [
      ...kept.map((one, i) => ({ run: one, upto: Infinity, colour: css(COLOURS[(i + 1) % 6]), active: false })),
      { run, upto: state.k, colour: css(COLOURS[0]), active: true },
    ],
    moveStart(place) {
      state.axes.forEach((i, c) => (state.start = state.start.with(i, place[c])));
      state.k = Math.min(state.k, state.steps);
      renew({ start: true });
    },
    fit() { fit(); },
  };
  const board = plane(at("plane"), world);

  // What there is to see: start, end and answer, and the path as far as it stays near.
  function fit() {
    const places = (i) => [state.start[i], ...(given.answer ? [given.answer[i]] : []), ...run.points.slice(0, 200).map((p) => p[i])];
    const anchorsOf = (i) => [state.start[i], given.answer ? given.answer[i] : run.points.at(-1)[i]].filter(Number.isFinite);
    const apart = (i) => Math.max(...anchorsOf(i)) - Math.min(...anchorsOf(i));
    const near = (i) => {
      const anchors = anchorsOf(i);
      const widest = Math.max(...state.axes.map(apart)) || Math.max(1, Math.abs(anchors[0]));
      const level = apart(i) < 1e-3 * widest; // the start is beside the answer
      const reach = level ? widest : apart(i);
      const seen = places(i).filter((v) => Math.abs(v - anchors[0]) <= 2.5 * reach);
      const [low, high] = d3.extent([...seen, ...anchors]);
      const pad = level ? 0.55 * reach : 0.25 * Math.max(high - low, 0.4 * reach);
      return [low - pad, high + pad];
    };
    const x = near(state.axes[0]);
    if (n > 1) return board.show(x, near(state.axes[1]));
    const heights = d3.range(201).map((k) => world.height(x[0] + ((x[1] - x[0]) * k) / 200)).filter(Number.isFinite).sort(d3.ascending);
    const low = given.sign > 0 ? heights[0] : d3.quantileSorted(heights, 0.05);
    const high = given.sign > 0 ? d3.quantileSorted(heights, 0.95) : heights.at(-1);
    const room = 0.12 * (high - low || 1);
    return board.show(x, [low - room, high + room]);
  }

  // -- changes --------------------------------------------------------------------------------------------------------

  const settings = () => Object.fromEntries(KEPT.map((name) => [name, state[name]]));

  function renew({ start = false, plane: moved = false } = {}) {
    run = descent.run(of, given, settings());
    if (start) {
      surveyed = false;
      least = null;
    }
    state.k = Math.min(state.k, run.points.length - 1);
    if (moved || (n > 2 && start && state.others === "held")) board.terrain();
    show();
  }

  let waiting = 0;
  function show() {
    if (n > 2 && state.others === "following") board.quick();
    else board.draw();
    drawRows();
    controls();
    facts();
    remember();
    // Charts and table may lag behind the path while it moves.
    waiting ||= setTimeout(() => {
      waiting = 0;
      course();
      table();
    }, 90);
  }

  // -- controls -------------------------------------------------------------------------------------------------------

  const range = () => {
    const middle = curvature && curvature.largest > 0 ? 2 / curvature.largest : state.lr;
    return [Math.log10(middle) - 3.5, Math.log10(middle) + 1.5];
  };
  const few = (v) => Number(v.toPrecision(3));

  function controls() {
    const one = method(state.method);
    const [low, high] = range();
    const rated = !["newton", "batch"].includes(state.method);
    at("rate").disabled = at("lr").disabled = !rated;
    at("rate").value = (1000 * (Math.log10(state.lr) - low)) / (high - low);
    at("rate").setAttribute("aria-valuetext", chart.number(state.lr));
    if (document.activeElement !== at("lr")) at("lr").value = state.lr;
    const limit = curvature && curvature.largest > 0 ? 2 / curvature.largest : null;
    at("limit").hidden = !(limit && one.stable && state.method === "gd");
    if (limit) at("limit").style.left = `calc(0.5rem + ${(Math.log10(limit) - low) / (high - low)} * (100% - 1rem))`;
    at("method").value = state.method;
    at("keep").value = state.keep;
    at("keep").closest("label").hidden = !("keep" in one.constants) || state.method === "rmsprop";
    at("keep").setAttribute("aria-valuetext", state.keep);
    at("noise").value = state.noise ? 50 + 20 * Math.log10(state.noise / scale()) : 0;
    at("noise").setAttribute("aria-valuetext", state.noise ? `standard deviation ${chart.number(state.noise)}` : "none");
    for (const name of ["seed", "steps"]) if (document.activeElement !== at(name)) at(name).value = state[name];
    if (document.activeElement !== at("start")) at("start").value = state.start.join(", ");
    at("at").max = run.points.length - 1;
    at("at").value = state.k;
    if (given.rows) {
      at("batch").value = state.batch || of.rows;
      at("schedule").value = state.schedule;
      at("shuffle").checked = Boolean(state.shuffle);
    }
    at("play").textContent = playing ? "pause" : "play";
    at("play").setAttribute("aria-pressed", String(Boolean(playing)));
    runsShown();
  }

  const scale = () => Math.max(1e-12, run ? run.norms[0] : 1);

  function runsShown() {
    const list = at("runs");
    list.replaceChildren(...kept.map((one, i) => entry(one, COLOURS[(i + 1) % 6], () => {
      state.kept = state.kept.filter((_, j) => j !== i);
      kept = kept.filter((_, j) => j !== i);
      show();
    })), entry(run, COLOURS[0], null));
  }

  function entry(one, colour, remove) {
    const item = document.createElement("li");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = css(colour);
    const words = document.createElement("span");
    const s = one.settings;
    const last = remove ? one.values.length - 1 : state.k;
    const rate = ["newton", "batch"].includes(s.method) ? "" : ` at ${chart.number(s.lr)}`;
    words.textContent = `${s.method}${rate}${s.noise ? ", noisy" : ""}: ${chart.number(given.sign * one.values[last])} after ${last}`;
    item.append(swatch, words);
    if (remove) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "act";
      button.textContent = "remove";
      button.setAttribute("aria-label", `remove the run of ${s.method}${rate}`);
      button.addEventListener("click", remove);
      item.append(button);
    }
    return item;
  }

  function stop() {
    clearInterval(playing);
    playing = 0;
  }

  function play() {
    if (playing) {
      stop();
      return show();
    }
    if (state.k >= run.points.length - 1) state.k = 0;
    playing = setInterval(() => {
      state.k = Math.min(state.k + 1, run.points.length - 1);
      if (state.k >= run.points.length - 1) stop();
      show();
    }, 1000 / Number(at("speed").value));
    return show();
  }

  function go(k) {
    stop();
    state.k = Math.max(0, Math.min(run.points.length - 1, k));
    show();
  }

  function listen() {
    const on = (id, kind, act) => at(id)?.addEventListener(kind, act);
    document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    given.methods.forEach((m) => at("method").add(new Option(`${m.name}: ${m.help}`, m.name)));
    on("method", "change", () => {
      state.method = at("method").value;
      const own = method(state.method).lr;
      if (own && !["gd", "momentum", "nesterov"].includes(state.method)) state.lr = own;
      renew();
    });
    on("rate", "input", () => {
      const [low, high] = range();
      state.lr = few(10 ** (low + ((high - low) * Number(at("rate").value)) / 1000));
      renew();
    });
    on("lr", "input", () => {
      if (Number(at("lr").value) > 0) state.lr = Number(at("lr").value);
      renew();
    });
    on("keep", "input", () => { state.keep = Number(at("keep").value); renew(); });
    on("noise", "input", () => {
      const v = Number(at("noise").value);
      state.noise = v ? few(scale() * 10 ** ((v - 50) / 20)) : 0;
      renew();
    });
    on("seed", "input", () => { state.seed = Math.max(0, Math.round(Number(at("seed").value)) || 0); renew(); });
    on("steps", "input", () => {
      state.steps = Math.max(1, Math.min(5000, Math.round(Number(at("steps").value)) || 1));
      renew();
    });
    on("start", "input", () => {
      const typed = numbers(at("start").value);
      if (typed.length === n) { state.start = typed; renew({ start: true }); }
    });
    on("batch", "input", () => {
      const size = Math.round(Number(at("batch").value));
      state.batch = size >= 1 && size < of.rows ? size : 0;
      renew();
    });
    on("schedule", "change", () => { state.schedule = at("schedule").value; renew(); });
    on("shuffle", "change", () => { state.shuffle = Number(at("shuffle").checked); renew(); });
    on("play", "click", play);
    on("step", "click", () => go(state.k + 1));
    on("back", "click", () => go(state.k - 1));
    on("end", "click", () => go(run.points.length - 1));
    on("at", "input", () => go(Number(at("at").value)));
    on("speed", "input", () => { if (playing) { stop(); play(); } });
    on("keep-run", "click", () => {
      if (kept.length >= 5) return;
      state.kept.push(settings());
      kept.push(run);
      show();
    });
    on("zoom-in", "click", () => board.zoom(1.4));
    on("zoom-out", "click", () => board.zoom(1 / 1.4));
    on("fit", "click", fit);
    on("h", "input", () => { state.h = Number(at("h").value); quotient(); remember(); });
    on("link", "click", async () => {
      const link = location.href.split("#")[0] + address();
      try { await navigator.clipboard.writeText(link); } catch { location.hash = address(); }
      at("link").textContent = "Copied";
      setTimeout(() => (at("link").textContent = "Copy a link to this state"), 1200);
    });
    if (n > 2) choosePlane();
    document.addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, button, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
      const keys = { " ": play, ",": () => go(state.k - 1), ".": () => go(state.k + 1) };
      if (!keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
    window.addEventListener("resize", resized);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", resized);
    window.addEventListener("hashchange", () => { read(); begin(); });
  }

  function choosePlane() {
    at("plane-choice").hidden = false;
    for (const [id, c] of [["across", 0], ["up", 1]]) {
      given.names.forEach((name, i) => at(id).add(new Option(name, String(i))));
      at(id).value = String(state.axes[c]);
      at(id).addEventListener("change", () => {
        const chosen = Number(at(id).value);
        if (chosen === state.axes[1 - c]) state.axes = [...state.axes].reverse();
        else state.axes = state.axes.with(c, chosen);
        at("across").value = String(state.axes[0]);
        at("up").value = String(state.axes[1]);
        fit();
        show();
      });
    }
    at("others").value = state.others;
    at("others").addEventListener("change", () => { state.others = at("others").value; board.terrain(); show(); });
  }

  // -- what is told ---------------------------------------------------------------------------------------------------

  const pair = (label, text) => {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = label;
    dd.textContent = text;
    return [dt, dd];
  };

  const long = (v) => (Number.isFinite(v) ? String(Number(v.toPrecision(10))).replace("-", "−") : "not finite");

  function facts() {
    const x = run.points[state.k];
    const pairs = [
      pair("iteration", `${state.k} of ${run.points.length - 1}${run.ended && state.k === run.points.length - 1 ? `: ${run.ended}` : ""}`),
      pair("point", given.names.slice(0, 6).map((name, i) => `${name} = ${long(x[i])}`).join(", ")),
      pair("value", long(given.sign * run.values[state.k]) + (given.rows ? " (mean loss)" : "")),
      pair("|gradient|", chart.number(run.norms[state.k])),
    ];
    const values = linear.eigen(of.hessian(x)).values.map((v) => given.sign * v).sort(d3.ascending);
    if (values.every(Number.isFinite)) {
      pairs.push(pair(n === 1 ? "second derivative" : "Hessian eigenvalues", values.map(chart.number).join(", ")));
      const sizes = values.map(Math.abs);
      if (n > 1) pairs.push(pair("condition", Math.min(...values) > 0 || Math.max(...values) < 0 ? chart.number(Math.max(...sizes) / Math.min(...sizes)) : "not defined: curved both ways, or flat"));
    }
    at("facts").replaceChildren(...pairs.flat());
    quotient();
    command();
    const asked = JSON.stringify(settings());
    if (asked === judged) return;
    judged = asked;
    clearTimeout(judging);
    document.documentElement.dataset.judging = "true";
    judging = setTimeout(judge, 60);
  }

  // It takes many steps, so it waits until nothing moves.
  function judge() {
    if (!surveyed) {
      curvature = rates.survey(of, state.start, given.verdicts);
      surveyed = true;
      controls();
      limitTold();
    }
    verdict();
    delete document.documentElement.dataset.judging;
  }

  function limitTold() {
    const told = curvature && curvature.largest > 0
      ? pair("stable limit", `2/L = ${chart.number(2 / curvature.largest)} from this start; best rate ${chart.number(curvature.best)}`)
      : pair("stable limit", "none: nothing is curved upwards on the way");
    at("limits").replaceChildren(...told);
  }

  function verdict() {
    const box = at("verdict");
    let [word, why, role] = ["", "", ""];
    if (state.method === "gd" && !state.noise && !state.batch && curvature && curvature.best) {
      least ??= rates.fewest(of, state.start, curvature, given.verdicts);
      [word, why, role] = rates.verdict(of, state.start, state.lr, curvature, given.verdicts, least);
    } else {
      const [first, last] = [run.values[0], run.values.at(-1)];
      word = run.ended && !Number.isFinite(last) ? "ended" : last < first ? "descends" : "does not descend";
      role = word === "descends" ? "good" : "bad";
      why = run.ended || `from ${chart.number(given.sign * first)} to ${chart.number(given.sign * last)} in ${run.points.length - 1} steps`;
    }
    box.className = `verdict say ${role}`;
    const strong = document.createElement("strong");
    const rest = document.createElement("span");
    strong.textContent = word;
    rest.textContent = ` ${why}`;
    box.replaceChildren(strong, rest);
  }

  // The book's first picture: the quotient by h against the derivative, at the point of this iteration.
  function quotient() {
    const h = 10 ** state.h;
    const x = run.points[state.k];
    const i = state.axes[0];
    const there = x.with(i, x[i] + h);
    const exact = given.sign * of.gradient(x)[i];
    const guess = (given.sign * (of.value(there) - of.value(x))) / h;
    const back = x.with(i, x[i] - h);
    const central = (given.sign * (of.value(there) - of.value(back))) / (2 * h);
    at("h").value = state.h;
    at("h").setAttribute("aria-valuetext", h.toExponential(1));
    at("h-value").textContent = h.toExponential(1);
    const name = given.names[i];
    const off = (v) => `${long(v)} (off by ${Math.abs(v - exact).toExponential(1)})`;
    at("quotient").replaceChildren(...[
      pair(`d/d${name}, exact`, long(exact)),
      pair("forward", off(guess)),
      pair("central", off(central)),
    ].flat());
  }

  function command() {
    at("command").textContent = terminal.command(given, state, of.rows);
    at("command-note").textContent = terminal.notes(given, state).join(" ");
  }

  function course() {
    const shown = world.runs().map(({ run: one, upto, active }, i, all) => ({
      one, upto: Math.min(upto, one.points.length - 1), active, colour: active ? COLOURS[0] : COLOURS[(i + 1) % 6], last: i === all.length - 1,
    }));
    const lowest = given.answer ? of.value(given.answer) : Math.min(...shown.flatMap(({ one }) => one.values.filter(Number.isFinite)));
    const series = (pick, dashed) => shown.map(({ one, upto, colour, active }) => ({
      xs: d3.range(upto + 1), ys: pick(one).slice(0, upto + 1).map((v) => (v > 0 && Number.isFinite(v) ? v : null)),
      label: `${one.settings.method}${active ? "" : " (kept)"}`, ink: colour, shape: upto < 40 ? "o" : "", width: 1.6, size: 3, dashed, hollow: false, marked: null, alpha: 1, spread: null,
    }));
    const log = { xlabel: "iteration", xlog: false, ylog: true, xlim: null, ylim: null, whole: true, floor: null, note: "", height: 0.6, own: false, signed: false };
    chart.draw(at("course"), {
      kind: "chart",
      panels: [
        { ...log, ylabel: "value above the least", series: series((one) => one.values.map((v) => v - lowest)) },
        { ...log, ylabel: "|gradient|", series: series((one) => one.norms).map((s) => ({ ...s, label: "" })) },
      ],
    });
  }

  const SHOWN = 60;
  function table() {
    const first = Math.max(0, Math.min(state.k - SHOWN / 2, run.points.length - SHOWN));
    const heads = ["iter", "value", "|gradient|", ...given.names.slice(0, 8)];
    const made = document.createElement("table");
    const head = made.createTHead().insertRow();
    heads.forEach((text) => {
      const th = document.createElement("th");
      th.scope = "col";
      th.textContent = text;
      head.append(th);
    });
    const body = made.createTBody();
    const cells = (k) => [k, (given.sign * run.values[k]).toExponential(9), run.norms[k].toExponential(2), ...run.points[k].slice(0, 8).map((v) => (Math.abs(v) < 1e6 ? v.toFixed(7) : v.toExponential(6)))];
    for (let k = first; k < Math.min(first + SHOWN, run.points.length); k += 1) {
      const row = body.insertRow();
      row.className = k === state.k ? "now" : "";
      cells(k).forEach((v) => {
        const cell = row.insertCell();
        cell.className = "number";
        cell.textContent = String(v).replaceAll("-", "−");
      });
    }
    at("iterates").replaceChildren(made);
    const now = made.querySelector(".now");
    if (now) at("iterates").scrollTop = now.offsetTop - at("iterates").clientHeight / 2;
  }

  // -- rows of data ---------------------------------------------------------------------------------------------------

  function drawRows() {
    if (!given.rows || !given.sides) return;
    const sides = given.rows.map((r) => {
      const both = [];
      rowSides.values(run.points[state.k].concat(r), both);
      return both;
    });
    const over = given.over;
    const xs = over === null ? sides.map((s) => s[1]) : given.rows.map((r) => r[over]);
    const lit = run.rows[state.k] ?? [];
    const base = { label: "", shape: "", width: 0, size: 4, dashed: false, hollow: false, marked: null, alpha: 1, spread: null };
    const order = d3.range(xs.length).sort((i, j) => xs[i] - xs[j]);
    const line = over === null ? { xs: d3.extent(xs), ys: d3.extent(xs) } : { xs: order.map((i) => xs[i]), ys: order.map((i) => sides[i][1]) };
    chart.draw(at("rows"), {
      kind: "chart",
      panels: [{
        xlabel: over === null ? "fitted" : given.columns[over], ylabel: given.measured, xlog: false, ylog: false, xlim: null,
        ylim: chart.extent(sides.map((s) => s[0]), false), whole: false, floor: null, note: "", height: 1.4, own: false, signed: false,
        series: [
          { ...base, xs, ys: sides.map((s) => s[0]), ink: "#0072B2", shape: "o", label: `${xs.length} rows`, alpha: lit.length && lit.length < xs.length ? 0.45 : 1 },
          ...(lit.length && lit.length < xs.length
            ? [{ ...base, xs: lit.map((i) => xs[i]), ys: lit.map((i) => sides[i][0]), ink: "#E69F00", shape: "o", size: 7, label: "rows of this step" }]
            : []),
          { ...base, ...line, ink: "#D55E00", width: 2.2, label: "the model here" },
        ],
      }],
    });
  }

  // -- the beginning --------------------------------------------------------------------------------------------------

  function resized() {
    inks = {};
    board.resize();
    course();
    drawRows();
  }

  function begin() {
    curvature = rates.survey(of, state.start, { ...given.verdicts, steps: 100 });
    surveyed = false;
    least = null;
    judged = "";
    if (given.lr === null && !/[#&]lr=/.test(location.hash) && curvature?.best) state.lr = few(0.5 * curvature.best);
    run = descent.run(of, given, settings());
    kept = state.kept.map((s) => descent.run(of, given, s));
    renew();
    fit();
  }

  at("speed").value = 12;
  read();
  listen();
  begin();
  board.resize();
  show();
  document.documentElement.dataset.ready = "true";
})();
