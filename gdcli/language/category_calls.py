"""Columns of categories in a model: ``C(group)``, a number for each level, the first of them 0.

``C(group, "placebo")`` takes another level for the base, and ``C(group, slope)`` calls the differences ``slope_b``,
where they are called ``group_b`` without it. A call is read as one name, that of the column whose cells tell the level;
when the levels are known, it becomes the sum over the others of a parameter times an indicator, 1 in the rows of that
level.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import Span, UsageError
from gdcli.language.syntax import Node, Tree, rebuilt

_NAME = r"[^\W\d]\w*"
_CALL = re.compile(rf"(?<!\w)C\(\s*({_NAME})\s*(?:,\s*(\"[^\"\n]*\"|'[^'\n]*'|{_NAME})\s*)?\)")
# Letters that stand for a call, so that places stay what they are; each call has one of its own.
_STANDS_IN = tuple(chr(0xA640 + 2 * k) for k in range(20))


class Category(NamedTuple):
    """A call as typed in ``text``: the ``column``, how parameters begin (``stem``), the base (None: the first)."""

    text: str
    column: str
    stem: str
    base: str | None


class Levels(NamedTuple):
    """The levels of a category but for the base, in words: by parameter the level, and the column that indicates it."""

    base: str
    parameters: Mapping[str, str]
    indicators: Mapping[str, str]

    @classmethod
    def of(cls, text: str, base: str, parameters: Mapping[str, str]) -> Levels:
        """Return the levels of a call that stands in ``text``, the level of each of the ``parameters`` being known."""
        column = _column(text)
        return cls(base, parameters, {f"{column} == {level}": level for level in parameters.values()})


def _column(text: str) -> str:
    found = _CALL.match(text)
    return found[1] if found else ""


def masked(text: str, source: str) -> tuple[str, dict[str, Category]]:
    """Return a model's text in which names stand for the calls, as long as these, and the calls by these names.

    Raises UsageError for a call that stands twice: each stands for parameters of its own.
    """
    found: dict[str, Category] = {}
    stems: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        column, more = match.groups()
        quoted = bool(more) and more[0] in "\"'"
        stem = column if quoted or not more else more
        place = Span(text, *match.span(), source)
        if stem in stems or len(found) == len(_STANDS_IN):
            hint = f"give the differences of each a name of their own: C({column}, slope)"
            raise UsageError(f"parameters of two categories would be called {stem}_...", hint, place)
        stems[stem] = column
        name = _STANDS_IN[len(found)] * len(match.group())
        found[name] = Category(" ".join(match.group().split()), column, stem, more[1:-1] if quoted else None)
        return name

    return (_CALL.sub(stand_in, text), found) if "C(" in text else (text, found)


def restored(tree: Tree, text: str, calls: Mapping[str, Category]) -> Tree:
    """Return the tree of a masked text as that of the ``text`` typed: what stands for a call is called as the call."""

    def named(node: Node) -> Node:
        if node.op == "name" and node.value in calls:
            return Node("name", calls[node.value].text, (), node.start, node.end)
        return node

    names = tuple(calls[name].text if name in calls else name for name in tree.names)
    return tree._replace(text=text, root=rebuilt(tree.root, named), names=names)


def expanded(tree: Tree, levels: Mapping[str, Levels]) -> Tree:
    """Return the tree in which the names in ``levels`` are the sums that they stand for."""
    if not any(name in levels for name in tree.names):
        return tree

    def summed(node: Node) -> Node:
        return _sum(node, levels[node.value]) if node.op == "name" and node.value in levels else node

    names: list[str] = []
    for name in tree.names:
        found = levels.get(name)
        names += [name] if found is None else [*found.parameters, *found.indicators]
    return tree._replace(root=rebuilt(tree.root, summed), names=tuple(dict.fromkeys(names)))


def _sum(node: Node, found: Levels) -> Node:
    place = node.start, node.end
    terms = [
        Node("mul", None, (Node("name", parameter, (), *place), Node("name", indicator, (), *place)), *place)
        for parameter, indicator in zip(found.parameters, found.indicators, strict=True)
    ]
    return reduce(lambda total, term: Node("add", None, (total, term), *place), terms)
