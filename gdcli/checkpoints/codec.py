"""The states of runs as JSON values and arrays, and back, bit for bit.

Numbers, texts, lists and dicts of texts stand for themselves. Everything else is an object with one key that names its
kind: ``{"Vec": [1.0, 2.0]}``, ``{"array": 3}`` (the fourth of the arrays), ``{"Pair": {...}}``. Only the kinds of the
tables below are written, and only they are read: a file makes no object that this module does not know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from importlib import import_module
from math import isfinite
from typing import Any

from gdcli.dataclass import fields, is_dataclass
from gdcli.errors import DataError
from gdcli.solvers.vectors import Vec

# Where the classes of states are, by their names; most are those of one method.
KINDS: Mapping[str, str] = {
    name: module
    for module, names in {
        "solvers.types": "Evaluation Counts Iterate RunResult StopReason Triangle",
        "solvers.run": "Snapshot",
        "solvers.stochastic": "EpochSnapshot Epoch Constant Decay Book",
        "solvers.newton": "NewtonState",
        "solvers.stretch": "Series",
        "solvers.model": "LocalModel",
        "solvers.plane": "PlaneModel LineModel",
        "solvers.dense": "Solved",
        "solvers.newton_cg": "CgState",
        "solvers.large": "LargeState",
        "solvers.quasi_newton": "Memory Pair _Block _Inverse",
        "solvers.least_squares": "FitState",
        "solvers.kinks": "KinkState",
        "solvers.momentum": "_Last",
        "solvers.adaptive": "_Moments",
        "report.trail": "Row",
        "report.fit_page": "EpochRow",
        "report.plot_data": "Point",
        "problem": "Problem",
        "fitting.request": "FitRequest FitProblem",
    }.items()
    for name in names.split()
} | {"barzilai_borwein._Last": "solvers.barzilai_borwein"}
_NOT_FINITE = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}


class Encoder:
    """Turns values into JSON values; ``arrays`` are those that these refer to. ``objective`` is what a run is on."""

    def __init__(self, objective: Any = None, arrays: list[Any] | None = None) -> None:
        self.objective = objective
        self.arrays: list[Any] = [] if arrays is None else arrays
        self._places = {id(array): place for place, array in enumerate(self.arrays)}

    def __call__(self, value: Any) -> Any:
        """Return ``value`` as a JSON value. Raises TypeError for a kind that is not in the tables."""
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            number = float(value)
            return number if isfinite(number) else {"number": repr(number)}
        plain = _PLAIN.get(type(value))
        if plain is not None:
            return plain(self, value)
        if hasattr(value, "dtype"):
            return self._array(value)
        own = _own(type(value))
        if own is not None:
            return {type(value).__name__: own[0](self, value)}
        return self._object(value)

    def _array(self, value: Any) -> Any:
        if not value.shape:
            return self(value.item())
        base = value.base
        if value.ndim == 1 and getattr(base, "ndim", 0) == 2 and value.shape == base.shape[1:]:
            # A row of a matrix is one again when it is read: what is written to the one is seen in the other.
            offset = value.ctypes.data - base.ctypes.data
            return {"row": [self._array(base)["array"], offset // base.strides[0]]}
        # The same array in two places is written once, and is one array again when it is read.
        place = self._places.get(id(value))
        if place is None:
            place = self._places[id(value)] = len(self.arrays)
            self.arrays.append(value)
        return {"array": place}

    def _object(self, value: Any) -> Any:
        kind = type(value)
        name = _name(kind)
        if name is None:
            raise TypeError(f"a {kind.__name__} cannot be kept")
        if isinstance(value, Enum):
            return {name: value.value}
        return {
            name: {field: self(getattr(value, field)) for field in _fields(kind) if hasattr(value, field)}
        }


class Decoder:
    """Turns what an `Encoder` made into values again. Raises DataError for what no encoder makes."""

    def __init__(self, arrays: Sequence[Any], objective: Any = None) -> None:
        self.arrays = arrays
        self.objective = objective

    def __call__(self, value: Any) -> Any:
        """Return the value."""
        if isinstance(value, list):
            return [self(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise DataError("a value of the checkpoint has no kind")
        ((kind, content),) = value.items()
        made = _MAKE.get(kind)
        try:
            if made is not None:
                return made(self, content)
            if kind in _OWN:
                return _OWN[kind][1](self, content)
            return self._object(kind, content)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as fault:
            raise DataError(f"the checkpoint has a {kind[:40]} that is none: {fault}") from None

    def _object(self, kind: str, content: Any) -> Any:
        if kind not in KINDS:
            raise DataError(f"the checkpoint has a value of an unknown kind, {kind[:40]}")
        of: Any = getattr(import_module(f"gdcli.{KINDS[kind]}"), kind.rpartition(".")[2])
        if issubclass(of, Enum):
            return of(content)
        known = _fields(of)
        strange = set(content) - set(known)
        if strange:
            raise DataError(f"the checkpoint has a {kind} with {sorted(strange)[0]}")
        parts = {name: self(part) for name, part in content.items()}
        if issubclass(of, tuple):
            return of(**parts)
        made = of.__new__(of)
        for name, part in parts.items():
            object.__setattr__(made, name, part)  # some are frozen
        return made


def _name(kind: type) -> str | None:
    """Return the name of a class in the table, None where it is not there."""
    module = kind.__module__.removeprefix("gdcli.")
    for name in (kind.__name__, f"{module.rpartition('.')[2]}.{kind.__name__}"):
        if KINDS.get(name) == module:
            return name
    return None


def _fields(kind: type) -> list[str]:
    """Return the names of all that an object of a class is made of."""
    if issubclass(kind, tuple):
        return list(kind._fields)  # type: ignore[attr-defined]
    if is_dataclass(kind):
        return [field.name for field in fields(kind)]
    return [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]


_PLAIN: dict[type, Callable[[Encoder, Any], Any]] = {
    list: lambda to, v: [to(item) for item in v],
    Vec: lambda to, v: {"Vec": [to(item) for item in v]},
    tuple: lambda to, v: {"tuple": [to(item) for item in v]},
    deque: lambda to, v: {"deque": [v.maxlen, [to(item) for item in v]]},
    dict: lambda to, v: {"dict": [[to(key), to(item)] for key, item in v.items()]},
}
_MAKE: dict[str, Callable[[Decoder, Any], Any]] = {
    "number": lambda of, v: _NOT_FINITE[v],
    "Vec": lambda of, v: Vec([of(item) for item in v]),
    "tuple": lambda of, v: tuple([of(item) for item in v]),
    "deque": lambda of, v: deque([of(item) for item in v[1]], maxlen=v[0]),
    "dict": lambda of, v: {of(key): of(item) for key, item in v},
    "array": lambda of, v: of.arrays[v],
    "row": lambda of, v: of.arrays[v[0]][v[1]],
}


# -- states that refer to what the run is on -------------------------------------------------------------------------


def _own(kind: type) -> Any:
    found = _OWN.get(kind.__name__)
    return found if found is not None and kind.__module__.startswith("gdcli.") else None


def _from_fit(to: Encoder, fit: Any) -> Any:
    """The sum of squares and its bounds are what the run is on."""
    return None


def _to_fit(of: Decoder, content: Any) -> Any:
    from gdcli.solvers.fit_ends import fit_of

    return fit_of(of.objective)


def _from_residual_model(to: Encoder, model: Any) -> Any:
    """What the model is made of; the factors that it computed are computed again."""
    return {"triangle": to(model.triangle), "scale": to(model.scale), "free": [int(i) for i in model.index]}


def _to_residual_model(of: Decoder, content: Any) -> Any:
    import numpy

    from gdcli.solvers.residual_model import ResidualModel

    scale = of(content["scale"])
    free = numpy.zeros(len(scale), dtype=bool)
    free[content["free"]] = True
    return ResidualModel(of(content["triangle"]), scale, free)


def _from_phase(to: Encoder, phase: Any) -> Any:
    """The smoothed function is made again from what the run is on, and has its counts."""
    counts = None if phase.objective.counts is to.objective.counts else to(phase.objective.counts.copy())
    parts = {name: to(getattr(phase, name)) for name in ("level", "at", "inner", "path")}
    return parts | {"counts": counts}


def _to_phase(of: Decoder, content: Any) -> Any:
    from gdcli.solvers.kinks import _Phase, level, smoothed

    number = content["level"]
    smooth = smoothed(of.objective, level(of.objective, number))
    if smooth is None:
        raise ValueError("the function has no kinks")
    counts = of(content["counts"])
    if counts is not None:
        smooth.counts.take_over(counts.since(smooth.counts))
    return _Phase(number, smooth, of(content["at"]), of(content["inner"]), of(content["path"]))


def _from_units(to: Encoder, state: Any) -> Any:
    return {name: to(getattr(state, name)) for name in ("units", "axes", "inner")}


def _to_units(of: Decoder, content: Any) -> Any:
    """The state of the method is one on the function in those units."""
    from gdcli.solvers.units import UnitsState, rescaled

    units, axes = of(content["units"]), of(content["axes"])
    inner = Decoder(of.arrays, rescaled(of.objective, units, axes))
    return UnitsState(units, axes, inner(content["inner"]))


_OWN: dict[str, tuple[Callable[[Encoder, Any], Any], Callable[[Decoder, Any], Any]]] = {
    "UnitsState": (_from_units, _to_units),
    "Fit": (_from_fit, _to_fit),
    "ResidualModel": (_from_residual_model, _to_residual_model),
    "_Phase": (_from_phase, _to_phase),
}
