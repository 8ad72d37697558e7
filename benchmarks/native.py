"""Machine code against C programs that this script writes, compiled by gcc -O3 -march=native, and against CPython.

python benchmarks/native.py [STEPS] [VARIABLES] [ROWS] [TURNS]

"C strict" is compiled with -ffp-contract=off, "C fast" with -ffast-math and the vector functions of libmvec. All
variants of a row take turns; a ratio is the median of the ratios of the turns. Times are processor times, but for the
speed-up by threads.
"""

from __future__ import annotations

import ctypes
import math
import os
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from measure import c_library, sizes, table

from gdcli.api import make_problem
from gdcli.calculus.autodiff import Derivatives
from gdcli.compile.array_kernels import RowsKernel
from gdcli.compile.descent_loops import HISTORY, ROOM, LoopLayout, loop_text
from gdcli.compile.machine_code import processors
from gdcli.compile.scalar_text import compile_function
from gdcli.language.graph import Graph
from gdcli.objective.build import ScalarTier, build_objective
from gdcli.objective.expression import ScalarObjective
from gdcli.solve.methods.descent import Descent, Steepest
from gdcli.solve.methods.directions import Adam, Momentum
from gdcli.solve.methods.elementwise import Elementwise, Fixed
from gdcli.solve.run import run
from gdcli.solve.settings import Limits, Settings, rules_from
from gdcli.tasks.problem import parsed

ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"
CHAIN = "sum(100*(v[1:]-v[:-1]**2)**2+(1-v[:-1])**2)"

STRICT = r"""
#include <math.h>
/* what gd's loop looks at: the value, the gradient, the stop rule on its norm, whether the point moved, whether
   anything is not finite or falls without end, the best point so far */
#define BEGIN double x = p[0], y = p[1], lowest = 1e300, bx = x, by = y, ox = x - 1, oy = y; long k; \
    for (k = 0; k < steps; k++) { \
    double u = y - x * x, w = 1 - x, f = w * w + 100 * (u * u), gx = -2 * w - 400 * x * u, gy = 200 * u; \
    if (f <= lowest) { lowest = f; bx = x; by = y; } \
    if (!(gx * gx + gy * gy > 1e-24 * (fabs(f) > 1 ? fabs(f) : 1)) || !(f > -1e60 && f < INFINITY) \
        || (x == ox && y == oy) || !isfinite(gx) || !isfinite(gy) || !isfinite(x) || !isfinite(y)) break; \
    ox = x; oy = y;
#define END } p[0] = x; p[1] = y; p[2] = bx; p[3] = by; p[4] = lowest; return k;
long steepest(double *p, double lr, long steps) { BEGIN x -= lr * gx; y -= lr * gy; END }
long plain(double *p, double lr, long steps) { double x = p[0], y = p[1]; for (long k = 0; k < steps; k++) {
    double u = y - x * x, gx = -2 * (1 - x) - 400 * x * u, gy = 200 * u; x -= lr * gx; y -= lr * gy; }
    p[0] = x; p[1] = y; return steps; }
long momentum(double *p, double lr, long steps) { double vx = 0, vy = 0; BEGIN
    vx = 0.9 * vx - gx; vy = 0.9 * vy - gy; x += lr * vx; y += lr * vy; END }
long adam(double *p, double lr, long steps) { double mx = 0, my = 0, sx = 0, sy = 0; BEGIN
    double a = 1 - pow(0.9, k + 1.0), b = 1 - pow(0.999, k + 1.0);
    mx = 0.9 * mx + (1 - 0.9) * gx; my = 0.9 * my + (1 - 0.9) * gy;
    sx = 0.999 * sx + (1 - 0.999) * (gx * gx); sy = 0.999 * sy + (1 - 0.999) * (gy * gy);
    x -= lr * (mx / a / (sqrt(sx / b) + 1e-8)); y -= lr * (my / a / (sqrt(sy / b) + 1e-8)); END }
"""
FAST = r"""
#include <math.h>
typedef const double *restrict in;
void exponential(in p, in X, in Y, long n, double *o) {
    double a = p[0], b = p[1], c = p[2], s = 0, ga = 0, gb = 0, gc = 0;
    for (long i = 0; i < n; i++) { double e = exp(-b * X[i]), r = Y[i] - (a * e + c);
        s += r * r; ga += -2 * r * e; gb += 2 * r * a * X[i] * e; gc += -2 * r; }
    o[0] = s; o[1] = ga; o[2] = gb; o[3] = gc; }
void logistic(in p, in a, in b, in c, in d, in e, in Y, long n, double *o) {
    double s = 0, g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0, g5 = 0;
    for (long i = 0; i < n; i++) {
        double z = p[0] * a[i] + p[1] * b[i] + p[2] * c[i] + p[3] * d[i] + p[4] * e[i] + p[5];
        double q = exp(-Y[i] * z), h = -Y[i] * (q / (1 + q));
        s += log(1 + q); g0 += h * a[i]; g1 += h * b[i]; g2 += h * c[i]; g3 += h * d[i]; g4 += h * e[i]; g5 += h; }
    o[0] = s; o[1] = g0; o[2] = g1; o[3] = g2; o[4] = g3; o[5] = g4; o[6] = g5; }
double chain(in x, double *restrict g, long n) {
    double u = x[1] - x[0] * x[0], w = 1 - x[0], s = 100 * u * u + w * w;
    g[0] = -400 * x[0] * u - 2 * w;
    for (long i = 1; i < n - 1; i++) {
        double p = x[i] - x[i - 1] * x[i - 1], u = x[i + 1] - x[i] * x[i], w = 1 - x[i];
        s += 100 * u * u + w * w; g[i] = 200 * p - 400 * x[i] * u - 2 * w; }
    g[n - 1] = 200 * (x[n - 1] - x[n - 2] * x[n - 2]);
    return s; }
"""


def turns(
    variants: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Return the times of each variant, taking turns: processor time, which leaves out what others run meanwhile."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        for name, call in variants.items():
            begin = clock()
            call()
            if turn:
                times[name].append(clock() - begin)
    return times


def ratio(times: dict[str, list[float]], above: str, below: str) -> float:
    """Return the median ratio of two variants, turn by turn."""
    return statistics.median(a / b for a, b in zip(times[above], times[below], strict=True))


def loops(rows: list[list[str]], steps: int, rounds: int) -> None:
    """Fixed-step gradient descent, momentum and Adam on Rosenbrock's function."""
    library = c_library(STRICT, "-ffp-contract=off")
    problem = make_problem(ROSENBROCK, "minimize", {"x": -1.2, "y": 1.0})
    objective = build_objective(parsed(ROSENBROCK, ""), problem.lengths, {}, 1)
    x0 = objective.vector([-1.2, 1.0])
    at = objective.evaluate(x0, 1)
    for name, direction in (("steepest", Steepest()), ("momentum", Momentum()), ("adam", Adam())):
        lr = 1e-6 if name != "adam" else 1e-7
        method = Descent(direction, Fixed(lr))
        found = method.elementwise()
        tier = ScalarTier(objective, at_once=True)
        tier.worth_after(found.update)
        chunks = tier.load(found.update)
        states = found.states(method.start(objective, at))
        call = library[name]
        call.argtypes, call.restype = [ctypes.c_void_p, ctypes.c_double, ctypes.c_long], ctypes.c_long
        few = steps // 40

        def native(chunks=chunks, states=states, found=found) -> None:
            limits = Limits(-1e60, 1e-12, True)
            assert chunks(at, states, found.constants, limits, at.value, steps).steps == steps

        def c(call=call, lr=lr) -> None:
            assert call((ctypes.c_double * 8)(-1.2, 1.0), lr, steps) == steps

        def python(method=method, few=few) -> None:
            run(objective, method, x0, rules_from(Settings(max_iter=few, tol=0.0)))

        advance = in_cpython(objective, found)

        def text(advance=advance, few=few) -> None:
            assert advance(few) == few

        bare = library.plain
        bare.argtypes, bare.restype = call.argtypes, call.restype

        def plain(lr=lr, bare=bare) -> None:
            bare((ctypes.c_double * 8)(-1.2, 1.0), lr, steps)

        variants = {"native": native, "c": c, "text": text, "python": python, "plain": plain}
        times = turns(variants, rounds)
        bar = {"steepest": ("<= 1.2", ">= 35")}.get(name, ("", ""))
        rows.append([f"{name}, native / C strict", f"{ratio(times, 'native', 'c'):.2f}", bar[0]])
        if name == "steepest":
            above = f"{ratio(times, 'native', 'plain'):.2f}"
            rows.append(["steepest, native / C strict without stop rules, value, best point", above, ""])
        for variant, what in (("text", "the same text in CPython"), ("python", "gd's loop in CPython")):
            faster = ratio(times, variant, "native") * steps / few
            rows.append([f"{name}, times faster than {what}", f"{faster:.0f}", bar[1]])
            bar = ("", "")


def in_cpython(objective: ScalarObjective, found: Elementwise) -> Callable[[int], int]:
    """Return the text of a whole loop as CPython runs it: a call that takes so many steps from the start."""
    roots = objective.root, objective.gradient_nodes
    text = loop_text(objective.form.graph, *roots, objective.leaves, found.update, False)
    space = {"fabs": math.fabs, "sqrt": math.sqrt, "power": math.pow, "inf": math.inf}
    advance = compile_function(text, "advance", space)
    layout = LoopLayout(2)
    at = objective.evaluate(objective.vector([-1.2, 1.0]), 1)
    states = [*found.update.start, *[0.0] * (2 * len(found.update.vectors))]

    def steps(number: int) -> int:
        rows = [0.0] * (layout.row * (HISTORY + ROOM))
        begin = layout.row * (HISTORY - 1)
        rows[begin : begin + layout.row] = [*at.x, *at.gradient, at.value, 0.0]
        best = [*[0.0] * (layout.best - 1), at.value]
        limits = [-1e60, 1e-24, 0.0, 0.0, 0.0, *found.constants]
        return advance(rows, best, [*states], limits, [0, 0], number)

    return steps


def models() -> dict[str, tuple[Graph, int, list[str], list[str]]]:
    """The two models of rows: graph, loss, parameters, columns."""
    graph = Graph()
    a, b, c, x, y = (graph.scalar(n) for n in "abcxy")
    e = graph.node("exp", graph.node("mul", graph.node("neg", b), x))
    r = graph.node("sub", y, graph.node("add", graph.node("mul", a, e), c))
    found = {"exponential": (graph, graph.node("mul", r, r), list("abc"), list("xy"))}
    graph = Graph()
    names, columns = [f"w{i}" for i in range(6)], [f"x{i}" for i in range(5)]
    z = graph.node("mul", graph.scalar("w0"), graph.scalar("x0"))
    for w, column in zip(names[1:5], columns[1:], strict=True):
        z = graph.node("add", z, graph.node("mul", graph.scalar(w), graph.scalar(column)))
    z = graph.node("add", z, graph.scalar("w5"))
    loss = graph.node("softplus", graph.node("neg", graph.node("mul", graph.scalar("y"), z)))
    found["logistic"] = graph, loss, names, [*columns, "y"]
    return found


def batches(rows: list[list[str]], size: int, rounds: int) -> None:
    """Value and gradient over all rows."""
    library = c_library(FAST, "-ffast-math")
    random = np.random.default_rng(0)
    for name, (graph, loss, parameters, columns) in models().items():
        data = [random.normal(size=size) for _ in columns]
        data[-1] = np.sign(data[-1]) if name == "logistic" else data[-1]
        data[0] = np.abs(data[0]) if name == "exponential" else data[0]
        adjoints = Derivatives(graph, frozenset(columns)).gradient(loss)
        roots = [loss, *(adjoints[graph.scalar(p)] for p in parameters)]
        leaves = [{("scalar", n): f"{k}{i}" for i, n in enumerate(names)} for k, names in
                  (("p", parameters), ("c", columns))]  # fmt: skip
        kernel = RowsKernel(graph, roots, *leaves)
        point = [1.0, 0.5, 0.2] if name == "exponential" else [0.3, -0.2, 0.1, 0.4, -0.1, 0.05]
        call, count = library[name], len(roots)
        given = (ctypes.c_double * len(point))(*point)

        def c(first: int, last: int, out: Any, call=call, data=data, given=given) -> None:
            pointers = [ctypes.c_void_p(d[first:].ctypes.data) for d in data]
            call(given, *pointers, ctypes.c_long(last - first), out)

        def one(c=c, count=count) -> list[float]:
            out = (ctypes.c_double * count)()
            c(0, size, out)
            return list(out)

        def two(c=c, count=count) -> None:
            outs = [(ctypes.c_double * count)() for _ in range(2)]
            half = threading.Thread(target=c, args=(size // 2, size, outs[1]))
            half.start()
            c(0, size // 2, outs[0])
            half.join()

        np.testing.assert_allclose(kernel.sums(point, data), one(), rtol=1e-9)
        variants = {
            "native": lambda kernel=kernel, point=point, data=data: kernel.sums(point, data),
            "c": one,
        }
        times = turns(variants, rounds)
        variants["native 2"] = lambda kernel=kernel, point=point, data=data: kernel.sums(point, data, 2)
        variants["c 2"] = two
        real = turns(variants, rounds, time.perf_counter)
        what = f"{name}, {size:.0e} rows"
        rows.append([f"{what}, native / C fast, 1 thread", f"{ratio(times, 'native', 'c'):.2f}", "<= 1.0"])
        rows.append(
            [f"{what}, native 2 threads over 1", f"{ratio(real, 'native', 'native 2'):.2f}", ">= 1.7"]
        )
        rows.append(
            [
                f"{what}, C 2 threads over 1",
                f"{ratio(real, 'c', 'c 2'):.2f}",
                "(1.8 or the bar does not hold)",
            ]
        )


def vectors(rows: list[list[str]], n: int, rounds: int) -> None:
    """Chain Rosenbrock with many variables."""
    library = c_library(FAST, "-ffast-math")
    library.chain.restype = ctypes.c_double
    x = np.random.default_rng(0).normal(size=n)
    problem = make_problem(CHAIN, "minimize", {"v": x})
    made = {e: build_objective(parsed(CHAIN, ""), problem.lengths, {}, 1, e) for e in ("native", "numpy")}
    gradient = np.empty(n)

    def c() -> None:
        library.chain(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(gradient.ctypes.data), ctypes.c_long(n))

    programs = {e: made[e]._program("gradient") for e in made}
    out = np.empty(n)
    variants = {e: (lambda p=p: p(x, out)) for e, p in programs.items()}
    times = turns({**variants, "c": c}, 6 * rounds)
    rows.append(
        [f"chain Rosenbrock, n = {n:.0e}, native / C fast", f"{ratio(times, 'native', 'c'):.2f}", "<= 1.2"]
    )
    rows.append(["same, times faster than numpy", f"{ratio(times, 'numpy', 'native'):.1f}", ""])


def main() -> None:
    """Measure and print the table."""
    if shutil.which("gcc") is None:
        print("There is no gcc here to compare with.")
        sys.exit()
    rows: list[list[str]] = []
    steps, variables, size, rounds = sizes(400_000, 1_000_000, 10_000_000, 9)
    loops(rows, steps, rounds)
    vectors(rows, variables, rounds)
    batches(rows, size, rounds)
    print(table(["what", "ratio", "bar"], rows))
    print(f"\n{processors()} processors; load at the end {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
