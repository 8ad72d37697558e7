// A page of a stored answer: pictures drawn, tables that sort and filter, texts that can be copied.
"use strict";

(() => {
  const text = (cell) => cell.textContent.trim();
  // The number that a cell begins with: "~714", "1.69 ± 0.14", "−3e-5"; what is none goes last.
  const value = (cell) => {
    const found = /^[~<>]?\s*([-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+−]?\d+)?)/.exec(text(cell));
    return found ? Number(found[1].replaceAll("−", "-")) : NaN;
  };

  function compare(column, down) {
    return (one, other) => {
      const [a, b] = [one.cells[column], other.cells[column]];
      const [x, y] = [value(a), value(b)];
      if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1;
      const order = Number.isNaN(x) ? text(a).localeCompare(text(b)) : x - y;
      return down ? -order : order;
    };
  }

  function sortable(table) {
    table.querySelectorAll("thead button").forEach((button, column) => {
      button.addEventListener("click", () => {
        const head = button.closest("th");
        const down = head.getAttribute("aria-sort") === "ascending";
        table.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        body.querySelectorAll(".omitted").forEach((row) => row.remove());
        body.append(...[...body.rows].sort(compare(column, down)));
      });
    });
  }

  // Every word must stand in the row: "north failed" finds the failed groups of the north.
  function filtered(box) {
    const rows = [...box.parentElement.querySelectorAll("tbody tr")];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const field = box.querySelector("input");
    const count = box.querySelector("output");
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, k) => {
        row.hidden = !words.every((word) => texts[k].includes(word));
        shown += row.hidden ? 0 : 1;
      });
      count.textContent = `${shown} of ${rows.length} rows`;
    });
  }

  function draw() {
    document.querySelectorAll("[data-scene]").forEach((figure) => {
      chart.draw(figure, JSON.parse(document.getElementById(figure.dataset.scene).textContent));
    });
  }

  document.querySelectorAll("table").forEach(sortable);
  document.querySelectorAll(".filter").forEach(filtered);
  document.querySelectorAll("[data-save]").forEach((button) => {
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([document.getElementById("record").textContent], { type: "application/json" }));
      link.download = button.dataset.save;
      link.click();
    });
  });
  draw();
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (width !== window.innerWidth) draw();
    width = window.innerWidth;
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("beforeprint", draw);
})();
