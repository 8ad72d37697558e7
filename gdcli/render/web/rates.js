// The verdict of gd compare-lr on a learning rate of plain gradient descent, with its reason. The rules and their
// numbers are those of the terminal: it says the same with --steps as many as are taken here.
"use strict";

const rates = (() => {
  const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

  // One run at a fixed rate: values, lengths of the gradients, turns, and the step that was short enough.
  function trial(of, start, lr, curvature, steps, tolerance) {
    let x = [...start];
    let g = of.gradient(x);
    const run = { lr, values: [of.value(x)], slopes: [descent.norm(g)], turns: [], arrived: null, lost: false, way: [] };
    const first = lr * run.slopes[0];
    const short = first >= tolerance ? tolerance : Math.max(0.01 * first, lr * curvature * tolerance);
    let keep = 1;
    for (let k = 1; k <= steps; k += 1) {
      const there = x.map((v, i) => v - lr * g[i]);
      const value = of.value(there);
      run.values.push(value);
      const slope = Number.isFinite(value) ? of.gradient(there) : [NaN];
      if (!slope.every(Number.isFinite)) {
        run.lost = true;
        break;
      }
      run.slopes.push(descent.norm(slope));
      run.turns.push(dot(slope, g) < 0);
      const moved = descent.norm(there.map((v, i) => v - x[i]));
      [x, g] = [there, slope];
      if (k === keep && run.way.length < 12) {
        run.way.push(x);
        keep *= 2;
      }
      if (moved < short || run.slopes.at(-2) === 0) {
        run.arrived = k;
        break;
      }
    }
    run.way.push(x);
    run.astray = run.lost || !(run.values.at(-1) <= run.values[0]);
    return run;
  }

  const bestOf = ([low, high]) => (high <= 0 ? null : low <= 1e-12 * high ? 1 / high : 2 / (high + low));

  // The curvature along the way of the best rate, and that rate: each is corrected by the other.
  function survey(of, start, rules) {
    const at = (x) => {
      const values = linear.eigen(of.hessian(x)).values;
      return [values[0], values.at(-1)];
    };
    const first = at(start);
    if (!first.every(Number.isFinite)) return null;
    const scale = Math.max(...first.map(Math.abs));
    if (scale === 0) return null;
    let found = first;
    let rate = bestOf(first) ?? 1 / scale;
    for (let round = 0; round < 10; round += 1) {
      const lane = trial(of, start, rate, scale, rules.steps, rules.tolerance);
      if (lane.astray) {
        rate /= 4;
        continue;
      }
      found = first;
      for (const x of lane.way) {
        const [low, high] = at(x);
        if (of.value(x) <= lane.values[0] && Number.isFinite(high)) {
          found = [Math.min(found[0], low), Math.max(found[1], high)];
        }
      }
      const wanted = bestOf(found);
      if (wanted === null) break;
      if (Math.abs(wanted - rate) <= 0.01 * rate) break;
      rate = wanted;
    }
    return { smallest: found[0], largest: found[1], scale, best: bestOf(found) };
  }

  function pace(slopes, window) {
    const last = slopes.slice(-window - 1);
    return last.length < 2 || last[0] === 0 ? 1 : (last.at(-1) / last[0]) ** (1 / (last.length - 1));
  }

  function grows(run, window) {
    const last = run.values.slice(-window - 1);
    return last.every((v, i) => i === 0 || last[i - 1] < v) && last.at(-1) > run.values[0]
      && pace(run.slopes, window) > 1 + 1e-9;
  }

  function turns(run, rules) {
    const last = run.turns.slice(-rules.window);
    return last.length > 0 && last.every(Boolean) && pace(run.slopes, rules.window) > rules.hardly * (1 + 1e-9);
  }

  const asLow = (one, other) =>
    one.values[0] - one.values.at(-1) >= 0.99 * (other.values[0] - other.values.at(-1));

  // The fewest steps of the reference rates: the best by curvature, 1/L, and the faster of both doubled and halved.
  function fewest(of, start, curvature, rules) {
    const tried = (lr) => trial(of, start, lr, curvature.scale, rules.steps, rules.tolerance);
    const best = tried(curvature.best);
    const count = (run) => (run.arrived === null || !asLow(run, best) ? Infinity : run.arrived);
    let fastest = best;
    const fast = Math.min(rules.good[0] / rules.good[1], rules.enough[0] / rules.enough[1]);
    for (const factor of [1 / curvature.largest / curvature.best, 2, 0.5]) {
      for (let again = 0; again < 40 && count(fastest) > fast; again += 1) {
        const other = tried(factor * fastest.lr);
        if (!(count(other) < count(fastest))) break;
        fastest = other;
        if (factor !== 2 && factor !== 0.5) break;
      }
    }
    return count(fastest);
  }

  function verdict(of, start, lr, curvature, rules, least) {
    const run = trial(of, start, lr, curvature.scale, rules.steps, rules.tolerance);
    if (run.lost) return ["diverges", `there is no finite value after step ${run.values.length - 1}`, "bad"];
    if (run.arrived === null && grows(run, rules.window)) {
      return ["diverges", "each step lands higher and farther away than the one before", "bad"];
    }
    if (turns(run, rules)) return ["oscillates", "each step goes back, and is hardly shorter than the one before", "warn"];
    const steps = run.arrived;
    if (steps === null) return ["too slow", `no end within ${rules.steps} steps`, "warn"];
    const told = `${steps} steps until one moves less than ${rules.tolerance}`;
    for (const [word, [few, times]] of [["good pace", rules.good], ["converges", rules.enough]]) {
      if (steps <= Math.max(few, times * (Number.isFinite(least) ? least : 0))) return [word, told, "good"];
    }
    return ["too slow", told, "warn"];
  }

  return { survey, fewest, verdict };
})();
