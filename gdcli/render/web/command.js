// The command that takes the steps of the page in the terminal, and what it cannot repeat.
"use strict";

const terminal = (() => {
  const UNRATED = ["newton", "batch"];

  // v[0], v[1] are given as one vector.
  function start(names, values) {
    const parts = [];
    const vectors = new Map();
    names.forEach((name, i) => {
      const found = /^(.*)\[(\d+)\]$/.exec(name);
      if (!found) parts.push(`${name}=${values[i]}`);
      else if (vectors.has(found[1])) vectors.get(found[1]).push(values[i]);
      else vectors.set(found[1], [values[i]]);
    });
    vectors.forEach((numbers, name) => parts.push(`${name}=[${numbers.join(",")}]`));
    const text = parts.join(",");
    return text.includes("[") ? `'${text}'` : text;
  }

  function ofRows(state, rows) {
    if (UNRATED.includes(state.method)) return [`--method ${state.method} --every 1`];
    const size = state.batch || rows;
    const epochs = Math.max(1, Math.ceil(state.k / Math.ceil(rows / size)));
    const method = state.method === "gd" ? "sgd" : state.method;
    return [
      `--method ${method} --lr ${state.lr} --batch-size ${state.batch || "all"} --epochs ${epochs}`,
      `--schedule ${state.schedule} --shuffle ${state.shuffle ? "full" : "none"} --every 1`,
    ];
  }

  function command(given, state, rows) {
    const words = [given.command, `--start ${start(given.names, state.start)}`];
    if (given.rows) words.push(...ofRows(state, rows));
    else {
      words.push(`--method ${state.method}${UNRATED.includes(state.method) ? "" : ` --lr ${state.lr}`}`);
      words.push(state.method === "newton" ? "--every 1" : `--max-iter ${state.k} --tol 0 --every 1`);
    }
    return words.join(" ");
  }

  function notes(given, state) {
    const { constants } = given.methods.find((m) => m.name === state.method);
    const told = [
      [state.noise, "The noise is of this page alone; a link to this state repeats it."],
      ["keep" in constants && state.method !== "rmsprop" && state.keep !== 0.9, "The terminal's momentum is 0.9."],
      [state.method === "newton", "The terminal keeps Newton's steps within a trust region: they differ, and end at the same minimum."],
      [given.constraints.length, "Descent does not know the constraints, which are only shown; gd minimize with --subject-to does."],
      [given.rows && state.shuffle, "Rows are shuffled in another order there."],
    ];
    return told.filter(([holds]) => holds).map(([, text]) => text);
  }

  return { command, notes };
})();
