// Runs of descent: every step of a method from a start, as gd takes it. The update rules are programs of the page
// (`rules`), written from the text that gd itself runs.
"use strict";

const descent = (() => {
  const norm = (g) => Math.hypot(...g);

  // What is minimised, whether it is an expression or the mean loss of rows.
  function objective(given) {
    const n = given.names.length;
    if (!given.rows) {
      const one = [0];
      return {
        n, rows: 0,
        value(p) { program.value(p, one); return one[0]; },
        gradient(p) { const g = new Array(n); program.gradient(p, g); return g; },
        hessian(p) { const h = []; program.hessian(p, h); return linear.square(h, n); },
      };
    }
    const all = given.rows.map((_, k) => k);
    const sums = (write, p, chosen, size) => {
      const total = new Array(size).fill(0);
      const part = new Array(size);
      for (const k of chosen) {
        write(p.concat(given.rows[k]), part);
        for (let i = 0; i < size; i += 1) total[i] += part[i];
      }
      return total.map((v) => v / chosen.length);
    };
    return {
      n, rows: all.length,
      value: (p) => sums(rowProgram.value, p, all, 1)[0],
      gradient: (p, chosen = all) => sums(rowProgram.gradient, p, chosen, n),
      hessian: (p) => linear.square(sums(rowProgram.hessian, p, all, (n * (n + 1)) / 2), n),
    };
  }

  // Numbers from a seed: the same link shows the same noise (mulberry32; normal ones by Box and Muller).
  function random(seed) {
    let state = seed >>> 0;
    const uniform = () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    return { uniform, normal };
  }

  const clipped = (x, bounds) =>
    bounds.length
      ? x.map((v, i) => Math.min(bounds[1][i] ?? Infinity, Math.max(bounds[0][i] ?? -Infinity, v)))
      : x;

  // The rows of each step: in their order, or shuffled anew for every epoch.
  function batches(count, size, shuffled, draw) {
    let order = [];
    return () => {
      if (!order.length) {
        order = Array.from({ length: count }, (_, k) => k);
        if (shuffled) d3.shuffler(draw.uniform)(order);
      }
      return order.splice(0, size);
    };
  }

  function rated(method, settings, n) {
    const { shared, component } = rules[method.name];
    const scalars = [...method.scalars];
    const states = Array.from({ length: n }, () => new Array(method.vectors).fill(0));
    const constants = Object.entries(method.constants).map(([name, v]) =>
      name === "keep" && method.name !== "rmsprop" ? settings.keep : v);
    return (x, g, rate) => {
      shared(scalars, constants);
      return x.map((v, i) => v + rate * component(g[i], states[i], scalars, constants));
    };
  }

  // The book's: the best of a list of steps along the gradient, taken even where it is higher.
  function best(of, x, g, sizes) {
    const trials = sizes.map((size) => x.map((v, i) => v + size * -g[i]));
    const values = trials.map((trial) => {
      const value = of.value(trial);
      return Number.isNaN(value) ? Infinity : value;
    });
    const lowest = Math.min(...values);
    return lowest < Infinity ? trials[values.indexOf(lowest)] : null;
  }

  function stepper(of, given, settings) {
    const method = given.methods.find((m) => m.name === settings.method);
    if (method.name === "newton") {
      return (x, g) => {
        const d = linear.newton(of.hessian(x), g);
        return d.every(Number.isFinite) ? x.map((v, i) => v + d[i]) : null;
      };
    }
    if (method.name === "batch") return (x, g) => best(of, x, g, given.stepSizes);
    return rated(method, settings, of.n);
  }

  function rateOf(settings, epoch) {
    return settings.schedule === "decay" ? settings.lr / (1 + epoch) : settings.lr;
  }

  // All iterates of a run: points, values, lengths of the gradient, and why it ended before its steps.
  function run(of, given, settings) {
    const step = stepper(of, given, settings);
    const draw = random(settings.seed);
    const size = Math.min(settings.batch || of.rows, of.rows) || 0;
    const next = size ? batches(of.rows, size, settings.shuffle, draw) : null;
    const perEpoch = size ? Math.ceil(of.rows / size) : 0;
    const found = { points: [], values: [], norms: [], rows: [null], settings, ended: "" };
    let x = clipped([...settings.start], given.bounds);
    for (let k = 0; k <= settings.steps; k += 1) {
      const value = of.value(x);
      const g = of.gradient(x);
      found.points.push(x);
      found.values.push(value);
      found.norms.push(norm(g));
      if (!Number.isFinite(value)) found.ended = "there is no finite value";
      else if (!g.every(Number.isFinite)) found.ended = "the gradient is not finite";
      if (found.ended || k === settings.steps) break;
      const chosen = next ? next() : null;
      let slope = chosen && size < of.rows ? of.gradient(x, chosen) : g;
      if (settings.noise > 0) slope = slope.map((v) => v + settings.noise * draw.normal());
      const moved = step(x, slope, rateOf(settings, perEpoch ? Math.floor(k / perEpoch) : 0));
      if (!moved) {
        found.ended = "no step has a value";
        break;
      }
      const there = clipped(moved, given.bounds);
      if (settings.method === "batch" && Math.abs(value - of.value(there)) < 1e-6) {
        found.ended = "the best trial changes the value by less than 1e-6";
        break;
      }
      found.rows.push(chosen);
      x = there;
    }
    return found;
  }

  return { objective, run, norm, random };
})();
