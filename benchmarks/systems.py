"""All roots of classical systems of equations, with the number of roots known from the literature.

The systems and their sources are in tests/data/systems.json. A root at which the Jacobian is singular cannot be proved
by Newton's step: it must lie in a box that is listed as undecided. gd solves in this process.

``python benchmarks/systems.py [COUNT] [SECONDS]`` takes the first systems, and so many seconds at most for each.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from measure import table

from gdcli.solve.settings import Settings
from gdcli.tasks.root_finding import read_system, solve_system

FILE = Path(__file__).parent.parent / "tests" / "data" / "systems.json"


def main() -> None:
    words = [float(word) for word in sys.argv[1:]]
    systems = json.loads(FILE.read_text(encoding="utf-8"))[: int(words[0]) if words else None]
    settings = Settings(max_time=words[1] if len(words) > 1 else 60.0)
    rows = []
    for system in systems:
        asked = read_system(system["equations"], [system["bounds"]])
        found = solve_system(asked, settings)
        proved = sum(box.proved for box in found.boxes)
        known = f"{system['roots']}{', singular' * ('singular' in system)}"
        counts = [str(n) for n in (proved, len(found.boxes) - proved, found.examined)]
        size = str(len(asked.bounds))
        rows.append([system["name"], size, system["bounds"], known, *counts, f"{found.seconds:.2f}"])
    print(table(["roots of systems", "n", "bounds", "known", "proved", "undecided", "boxes", "s"], rows))


if __name__ == "__main__":
    main()
