// Pictures of the same descriptions that --plot draws: panels of curves, or contours with paths, with zoom and values
// at the pointer. A description is plain data: gdcli/render/scene_data.py says what it has.
"use strict";

const chart = (() => {
  const PAD = { top: 10, right: 14, bottom: 44, left: 66 };
  const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const SHAPES = {
    o: d3.symbolCircle, s: d3.symbolSquare, "^": d3.symbolTriangle, D: d3.symbolDiamond,
    v: d3.symbolTriangle, "*": d3.symbolStar, p: d3.symbolDiamond, X: d3.symbolTimes, x: d3.symbolTimes,
    "+": d3.symbolPlus, "|": d3.symbolPlus,
  };

  const number = (value) => {
    if (value === null || Number.isNaN(value)) return "none";
    const text = String(Number(value.toPrecision(6)));
    return text.replace("-", "−");
  };
  const power = (exponent) =>
    "10" + [...String(exponent)].map((c) => (c === "-" ? "⁻" : SUPERSCRIPT[Number(c)])).join("");
  const decade = (value) => {
    const exponent = Math.log10(value);
    return Math.abs(exponent - Math.round(exponent)) < 1e-9 ? power(Math.round(exponent)) : "";
  };
  // A colour that was chosen for white paper has its counterpart in the style sheet where the page is dark.
  const ink = (colour) => `var(--ink-${colour.slice(1).toLowerCase()}, ${colour})`;

  function axis(make, scale, log, room) {
    const made = make(scale).tickSizeOuter(0);
    if (log) {
      const [low, high] = scale.domain().map(Math.log10);
      const stride = Math.max(1, Math.ceil((high - low) / Math.max(2, room / 60)));
      const powers = d3.range(Math.ceil(low), Math.floor(high) + 1, stride).map((p) => 10 ** p);
      if (powers.length > 1) return made.tickValues(powers).tickFormat(decade);
      return made.tickValues(d3.ticks(...scale.domain(), Math.max(2, room / 70)).filter((v) => v > 0)).tickFormat(number);
    }
    return made.ticks(Math.max(2, Math.floor(room / 70))).tickFormat((v) => {
      const format = Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-4) ? v.toExponential(1) : number(v);
      return format.replace("-", "−");
    });
  }

  const extent = (values, log) => {
    const kept = values.filter((v) => v !== null && Number.isFinite(v) && (!log || v > 0));
    let [low, high] = kept.length ? d3.extent(kept) : [log ? 0.1 : 0, 1];
    if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
    if (log) return [low / (high / low) ** 0.05, high * (high / low) ** 0.05];
    const part = 0.05 * (high - low);
    return [low - part, high + part];
  };

  const scaleOf = (log, domain, range) => (log ? d3.scaleLog() : d3.scaleLinear()).domain(domain).range(range);

  // The filled bands between levels: contours of a grid, as paths on the page.
  function bands(scene, x, y) {
    const across = scene.xs.length;
    const made = d3.contours().size([across, scene.ys.length]);
    const place = (places, at) => {
      const k = Math.max(0, Math.min(places.length - 1, at - 0.5));
      const low = Math.min(Math.floor(k), places.length - 2);
      return places[low] + (k - low) * (places[low + 1] - places[low]);
    };
    const path = d3.geoPath(d3.geoTransform({
      point(i, j) { this.stream.point(x(place(scene.xs, i)), y(place(scene.ys, j))); },
    }));
    return (values, levels) => levels.map((level) => path(made.contour(values, level)));
  }

  const ramp = (root) => {
    const style = getComputedStyle(root);
    return d3.interpolateRgbBasis([0, 1, 2, 3, 4].map((k) => style.getPropertyValue(`--ramp-${k}`).trim()));
  };

  function drawSeries(layer, series, x, y, panel) {
    const height = (v) => (v === 0 && panel.floor ? panel.floor : v);
    const points = series.xs.map((v, i) => [v, height(series.ys[i]), i]);
    const known = (p) => p[0] !== null && p[1] !== null && (!panel.xlog || p[0] > 0) && (!panel.ylog || p[1] > 0);
    const group = layer.append("g").attr("opacity", series.alpha);
    if (series.spread || series.across) {
      const bars = points.filter(known).map(([a, b, i]) => {
        const [up, side] = [series.spread, series.across].map((halves) => halves?.[i] ?? 0);
        return `M${x(a)},${y(b - up)}L${x(a)},${y(b + up)}M${x(a - side)},${y(b)}L${x(a + side)},${y(b)}`;
      });
      group.append("path").attr("d", bars.join("")).attr("stroke", ink(series.ink)).attr("fill", "none");
    }
    if (series.below) {
      const shown = points.filter(([a, b, i]) => known([a, b]) && known([a, series.below[i]]));
      const back = shown.map(([a, , i]) => [a, series.below[i]]).reverse();
      const edge = [...shown, ...back].map(([a, b]) => `${x(a)},${y(b)}`);
      group.append("path").attr("d", edge.length ? `M${edge.join("L")}Z` : "").attr("fill", ink(series.ink));
      return [];
    }
    if (series.width) {
      group.append("path")
        .attr("d", d3.line(([a]) => x(a), ([, b]) => y(b)).defined(known)(points))
        .attr("fill", "none").attr("stroke", ink(series.ink)).attr("stroke-width", series.width)
        .attr("stroke-dasharray", series.dashed ? "6 4" : null).attr("stroke-linejoin", "round");
    }
    if (series.shape) {
      const size = (series.size * 1.2) ** 2 * 0.8;
      const symbol = d3.symbol(SHAPES[series.shape] ?? d3.symbolCircle, size)();
      const shown = series.marked ? series.marked.map((i) => points[i]) : points;
      group.append("path")
        .attr("d", shown.filter(known).map(([a, b]) => moved(symbol, x(a), y(b))).join(""))
        .attr("fill", series.hollow ? "none" : ink(series.ink))
        .attr("stroke", series.hollow || "xX+|".includes(series.shape) ? ink(series.ink) : "var(--paper)")
        .attr("stroke-width", series.hollow ? 1.8 : 0.6);
    }
    return points.filter(known).map(([a, b, i]) => ({ a, b, i, series }));
  }

  // A symbol's path moved to a place: all symbols of a series are then one element, however many there are.
  function moved(path, dx, dy) {
    return path.replace(/([MLHVACZ])([^a-zA-Z]*)/g, (all, letter, rest) => {
      const at = rest.split(/[ ,]+/).filter((v) => v !== "").map(Number);
      if (letter === "Z") return "Z";
      if (letter === "H") return `H${at[0] + dx}`;
      if (letter === "V") return `V${at[0] + dy}`;
      if (letter === "A") return `A${at.slice(0, 5).join(",")},${at[5] + dx},${at[6] + dy}`;
      return letter + at.map((v, k) => v + (k % 2 ? dy : dx)).join(",");
    });
  }

  function drawContours(layer, scene, x, y, root) {
    const flat = scene.values.flat().map((v) => (v === null ? NaN : v));
    const drawn = bands(scene, x, y);
    const colour = ramp(root);
    const count = scene.levels.length;
    const part = (k) => (scene.sign > 0 ? k / Math.max(1, count) : 1 - k / Math.max(1, count));
    layer.append("rect").attr("width", "100%").attr("height", "100%").attr("fill", colour(part(0)));
    drawn(flat, scene.levels).forEach((path, k) => {
      layer.append("path").attr("d", path).attr("fill", colour(part(k + 1)))
        .attr("stroke", "var(--level)").attr("stroke-width", 0.6);
    });
    for (const edge of scene.edges) {
      const slack = edge.slacks.flat().map((v) => (v === null ? NaN : v));
      if (!edge.equation) {
        const broken = drawn(slack.map((v) => -v), [0])[0];
        layer.append("path").attr("d", broken).attr("class", "broken");
      }
      layer.append("path").attr("d", drawn(slack, [0])[0]).attr("fill", "none")
        .attr("stroke", "var(--text)").attr("stroke-width", edge.active ? 2 : 0.9);
    }
  }

  // One pair of axes. `zoomed` tells others of the same axis what is shown.
  function pane(box, panel, width, height, zoomed) {
    const svg = box.append("svg").attr("width", width).attr("height", height).attr("role", "img")
      .attr("aria-label", `${panel.ylabel} against ${panel.xlabel}`);
    const inner = { w: width - PAD.left - PAD.right, h: height - PAD.top - PAD.bottom };
    const id = `clip-${Math.random().toString(36).slice(2)}`;
    svg.append("clipPath").attr("id", id).append("rect").attr("width", inner.w).attr("height", inner.h);
    const frame = svg.append("g").attr("transform", `translate(${PAD.left},${PAD.top})`);
    const below = frame.append("g").attr("class", "axis").attr("transform", `translate(0,${inner.h})`);
    const beside = frame.append("g").attr("class", "axis");
    const plot = frame.append("g").attr("clip-path", `url(#${id})`);
    svg.append("text").attr("class", "axis-label").attr("x", PAD.left + inner.w / 2).attr("y", height - 8)
      .attr("text-anchor", "middle").text(panel.xlabel);
    svg.append("text").attr("class", "axis-label").attr("transform", `translate(14,${PAD.top + inner.h / 2}) rotate(-90)`)
      .attr("text-anchor", "middle").text(panel.ylabel);
    if (panel.note) {
      plot.append("text").attr("class", "axis-label").attr("x", inner.w / 2).attr("y", inner.h / 2)
        .attr("text-anchor", "middle").text(panel.note);
      return { show() {} };
    }
    const all = (name) => panel.series.flatMap((s) => s[name]);
    const x0 = scaleOf(panel.xlog, panel.xlim ?? extent(all("xs"), panel.xlog), [0, inner.w]);
    const heights = panel.floor ? [...all("ys"), panel.floor] : all("ys");
    const y0 = scaleOf(panel.ylog, panel.ylim ?? extent(heights, panel.ylog), [inner.h, 0]);
    let points = [];
    let found = null;
    const tip = box.append("div").attr("class", "tip").attr("hidden", "");
    const mark = frame.append("circle").attr("class", "mark").attr("r", 6).attr("visibility", "hidden");
    let shown = d3.zoomIdentity;

    function fill(x, y) {
      below.call(axis(d3.axisBottom, x, panel.xlog, inner.w));
      beside.call(axis(d3.axisLeft, y, panel.ylog, 2 * inner.h));
      plot.selectAll("*").remove();
      if (panel.contours) drawContours(plot, panel.contours, x, y, box.node());
      else grid(plot, x, y, inner);
      if (panel.signed) {
        plot.append("line").attr("x2", inner.w).attr("y1", y(0)).attr("y2", y(0)).attr("class", "zero");
      }
      points = panel.series.flatMap((s) => drawSeries(plot, s, x, y, panel));
      found = d3.Delaunay.from(points, (p) => x(p.a), (p) => y(p.b));
    }

    const axes = () => [shown.rescaleX(x0), shown.rescaleY(y0)];
    function show(transform) {
      shown = transform;
      fill(...axes());
    }
    const zoom = d3.zoom().scaleExtent([1, 1e6]).extent([[0, 0], [inner.w, inner.h]])
      .translateExtent([[0, 0], [inner.w, inner.h]])
      .filter((event) => (event.type === "wheel" ? event.ctrlKey || event.metaKey : event.type !== "touchstart" || shown.k > 1))
      .on("zoom", (event) => {
        show(event.transform);
        zoomed(event.transform);
      });
    svg.call(zoom).on("dblclick.zoom", null).on("dblclick", () => svg.call(zoom.transform, d3.zoomIdentity));
    svg.on("pointermove", (event) => {
      const [px, py] = d3.pointer(event, frame.node());
      const [x, y] = axes();
      const at = points.length ? points[found.find(px, py)] : null;
      const near = at && Math.hypot(x(at.a) - px, y(at.b) - py) < 40;
      mark.attr("visibility", near ? "visible" : "hidden");
      tip.attr("hidden", near ? null : "");
      if (!near) return;
      mark.attr("cx", x(at.a)).attr("cy", y(at.b));
      const name = at.series.names?.[at.i] ?? at.series.label;
      tip.text(`${name ? name + ": " : ""}${panel.xlabel} = ${number(at.a)}, ${panel.ylabel} = ${number(at.b)}`)
        .style("left", `${Math.min(px + PAD.left + 12, width - 170)}px`).style("top", `${py + PAD.top + 14}px`);
    }).on("pointerleave", () => {
      tip.attr("hidden", "");
      mark.attr("visibility", "hidden");
    });
    show(d3.zoomIdentity);
    return {
      show,
      across: (transform) => show(d3.zoomIdentity.translate(transform.x, 0).scale(transform.k)),
      by: (factor) => svg.call(factor ? zoom.scaleBy : zoom.transform, factor || d3.zoomIdentity),
    };
  }

  function grid(layer, x, y, inner) {
    const ticks = (scale, room) => scale.ticks(Math.max(2, Math.floor(room / 70)));
    for (const v of ticks(x, inner.w)) {
      layer.append("line").attr("class", "grid").attr("x1", x(v)).attr("x2", x(v)).attr("y2", inner.h);
    }
    for (const v of ticks(y, inner.h)) {
      layer.append("line").attr("class", "grid").attr("y1", y(v)).attr("y2", y(v)).attr("x2", inner.w);
    }
  }

  function legend(box, entries) {
    const list = box.append("ul").attr("class", "legend");
    for (const s of entries) {
      const item = list.append("li");
      const key = item.append("svg").attr("width", 24).attr("height", 12).attr("aria-hidden", "true");
      if (s.width) {
        key.append("line").attr("x2", 24).attr("y1", 6).attr("y2", 6).attr("stroke", ink(s.ink))
          .attr("stroke-width", Math.max(1, s.width)).attr("stroke-dasharray", s.dashed ? "6 4" : null);
      }
      if (s.shape) {
        key.append("path").attr("transform", "translate(12,6)")
          .attr("d", d3.symbol(SHAPES[s.shape] ?? d3.symbolCircle, 40)())
          .attr("fill", s.hollow ? "none" : ink(s.ink)).attr("stroke", ink(s.ink));
      }
      item.append("span").text(s.label);
    }
  }

  function draw(figure, scene) {
    const box = d3.select(figure).select(".drawing");
    box.selectAll("*").remove();
    const width = Math.max(280, box.node().clientWidth);
    const panels = scene.kind === "contours"
      ? [{ ...scene, contours: scene, xlim: d3.extent(scene.xs), ylim: d3.extent(scene.ys) }] : scene.panels;
    const panes = [];
    panels.forEach((panel, k) => {
      const one = box.append("div").attr("class", "pane");
      let height = panels.length > 1 ? 130 + 100 * Math.min(2, panel.height) : Math.min(420, 0.62 * width + 60);
      if (scene.equal) {
        const ratio = (scene.ys.at(-1) - scene.ys[0]) / (scene.xs.at(-1) - scene.xs[0]);
        height = Math.min(640, ratio * (width - PAD.left - PAD.right)) + PAD.top + PAD.bottom;
      }
      const wide = scene.equal ? Math.min(width, aspect(scene, height)) : width;
      panes.push(pane(one, panel, wide, height, (transform) => {
        panes.forEach((other, j) => j !== k && !panels[j].own && !panel.own && other.across?.(transform));
      }));
    });
    const edges = (scene.edges ?? []).map((e) => ({
      ink: "#000000", width: e.active ? 2 : 0.9, label: `${e.text} (${e.active ? "active" : "not active"})`,
    }));
    legend(box, [...edges, ...panels.flatMap((p) => p.series)].filter((s) => s.label));
    d3.select(figure).selectAll("[data-zoom]").on("click", function () {
      panes[0].by?.(Number(this.dataset.zoom));
    });
  }

  const aspect = (scene, height) =>
    ((scene.xs.at(-1) - scene.xs[0]) / (scene.ys.at(-1) - scene.ys[0])) * (height - PAD.top - PAD.bottom)
    + PAD.left + PAD.right;

  return { draw, axis, extent, scaleOf, bands, ramp, ink, number, decade, legend };
})();
