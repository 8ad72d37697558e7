"""What all tests share: how thorough they are, and which of them rounding could change.

Random tests draw the same examples every time, so that a run can be repeated. By default the tests take some minutes:
of those that go through all combinations every few-th runs, random ones draw fewer examples, and the longest problems
are left out (`effort`). With the environment variable ``GDCLI_TESTS=whole`` all run, as ``.ci/run`` does.

``@pytest.mark.every(k)``: of the cases of this test every k-th is enough. ``numerical`` is the mark of the modules
whose numbers go through sums and functions that other processors round otherwise.
"""

import gc
import signal

import pytest
from effort import WHOLE
from hypothesis import settings

NUMERICAL = {
    "bounds", "certificate", "checkpoints", "fit", "fit_groups", "fit_report", "honest_ends", "least_squares",
    "many_fits", "methods_problems", "receipts", "rows", "solvers", "solvers_bounds", "solvers_problems", "statistics",
    "stochastic", "vectors", "verdict",
}  # fmt: skip

# Programs and their trees have many objects that stay: to look for cycles among them takes up to a fifth of the time.
gc.set_threshold(100_000, 20, 100)
# In the background of a shell interrupts are ignored, also by the commands that tests start: they would hear none.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every(k): run every k-th case, unless GDCLI_TESTS=whole")
    config.addinivalue_line(
        "markers", "numerical: rounding could change it; run with the kernels of other processors"
    )


@pytest.hookimpl(tryfirst=True)  # before -m looks at the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seen: dict[str, int] = {}
    kept, left = [], []
    for item in items:
        if item.path.stem.removeprefix("test_") in NUMERICAL:
            item.add_marker("numerical")
        every = item.get_closest_marker("every")
        name = item.nodeid.partition("[")[0]
        number = seen[name] = seen.get(name, -1) + 1
        skipped = every is not None and not WHOLE and number % every.args[0]
        (left if skipped else kept).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
