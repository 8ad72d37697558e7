"""Makes the invented measurements of the cookbook again: ``python docs/make_data.py [FOLDER]``.

Each file is a known law with known numbers, and noise from a generator with a fixed seed; the cookbook says which. The
other files in ``docs/data`` are published measurements, whose sources stand in the cookbook.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from math import cos, exp, pi
from pathlib import Path
from random import Random

FOLDER = Path(__file__).parent / "data"


def counter(noise: Random) -> Iterator[str]:
    """Counts a minute of a source with a half-life of 6 minutes, over a background of 20."""
    yield "minute,counts"
    for minute in range(0, 40, 2):
        mean = 900 * 2 ** (-minute / 6) + 20
        yield f"{minute},{round(noise.gauss(mean, mean**0.5))}"


def dose(noise: Random) -> Iterator[str]:
    """A response from 5 to 100 with EC50 = 0.3 and slope 1.2, noise 3, three wells a dose."""
    yield "dose,response"
    for step in range(8):
        amount = 0.003 * 10 ** (step * 0.5)
        for _ in range(3):
            yield f"{amount:.4g},{5 + 95 / (1 + (0.3 / amount) ** 1.2) + noise.gauss(0, 3):.1f}"


def spectrum(noise: Random) -> Iterator[str]:
    """Peaks of 400 at 42 and of 150 at 55, both of width 4, on the line 120 - x/2; counts."""
    yield "channel,counts"
    for x in range(20, 81):
        peaks = 400 * exp(-(((x - 42) / 4) ** 2) / 2) + 150 * exp(-(((x - 55) / 4) ** 2) / 2)
        mean = peaks + 120 - x / 2
        yield f"{x},{round(noise.gauss(mean, mean**0.5))}"


def runs(noise: Random) -> Iterator[str]:
    """Three runs that decay with k = 0.35 from 10, 7 and 4 to 1, 0.5 and 0.2, noise 0.1."""
    yield "run,t,y"
    for name, amount, rest in (("mon", 10, 1), ("tue", 7, 0.5), ("wed", 4, 0.2)):
        for t in range(0, 16, 2):
            yield f"{name},{t},{amount * exp(-0.35 * t) + rest + noise.gauss(0, 0.1):.2f}"


def delivery(noise: Random) -> Iterator[str]:
    """Minutes of 120 deliveries over 1 to 20 km: 8 and 2 a km, and a delay that grows with the way."""
    yield "km,minutes"
    for _ in range(120):
        km = noise.uniform(1, 20)
        yield f"{km:.1f},{8 + 2 * km + noise.expovariate(1) * (1 + 0.4 * km):.1f}"


def lake(noise: Random) -> Iterator[str]:
    """The temperature of a lake every two weeks of two years: 12 on average, 8 up and down, warmest on 5 August."""
    yield "day,celsius"
    for weeks in range(0, 104, 2):
        day = date(2023, 1, 2) + timedelta(weeks=weeks)
        turn = 2 * pi * (day - date(2023, 8, 5)).days / 365.25
        yield f"{day},{12 + 8 * cos(turn) + noise.gauss(0, 0.8):.1f}"


def reaction(noise: Random) -> Iterator[str]:
    """A turns into B with k1 = 0.5, B into C with k2 = 0.2, from A = 1; noise 0.01 for A and 0.02 for B."""
    yield "t,A,B"
    for t in (0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12):
        a, b = exp(-0.5 * t), 0.5 / (0.2 - 0.5) * (exp(-0.5 * t) - exp(-0.2 * t))
        yield f"{t},{a + noise.gauss(0, 0.01):.3f},{b + noise.gauss(0, 0.02):.3f}"


FILES: tuple[Callable[[Random], Iterator[str]], ...] = (
    counter,
    dose,
    spectrum,
    runs,
    delivery,
    lake,
    reaction,
)


def make(folder: Path) -> None:
    """Write all files into ``folder``."""
    for rows in FILES:
        # Named by its file, so that a new file leaves the others as they are.
        text = "\n".join(rows(Random(rows.__name__))) + "\n"
        (folder / f"{rows.__name__}.csv").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
