"""Named parts of expressions, as typed after ``--let``: ``s=exp(a*x)``.

A part may use the parts before it, and stands for its value wherever its name does, in the objective and in the
constraints; it is no text that is put in their place, so it is read, evaluated and differentiated once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from gdcli.kernel.errors import Span, UsageError
from gdcli.language import syntax
from gdcli.language.functions import CALLABLE, CONSTANTS
from gdcli.language.relation import Relation
from gdcli.language.syntax import Tree
from gdcli.language.tokens import normal

OPTION = "--let"
EXAMPLE = "for example {} 's=exp(a*x)'"
# Each part that uses the one before it is one level of recursion more.
MAX_PARTS = 100


@lru_cache(maxsize=64)
def read_parts(
    texts: tuple[str, ...], option: str = OPTION, before: tuple[str, ...] = ()
) -> Mapping[str, Tree]:
    """Return the trees of the parts by name, in order; they may use those of ``before``, as typed after --let.

    ``option`` is the one that ``texts`` were typed after. Raises UsageError with the place in the text.
    """
    known = read_parts(before) if before else {}
    found: dict[str, Tree] = {}
    if len(texts) > MAX_PARTS:
        raise UsageError(f"{option} gives {len(texts)} parts; at most {MAX_PARTS} are read")
    for text in texts:
        name, tree = _part(text, option)
        if name in found:
            raise UsageError(f"{option} gives {name} twice", "", Span(text, 0, text.index("="), option))
        found[name] = with_parts(tree, {**known, **found})
    for name, tree in found.items():
        later = next((other for other in tree.names if other in found), None)
        if later is not None:
            from gdcli.language.tree_names import place_of_name  # only an error needs it

            hint = "a part uses those that come before it"
            raise UsageError(f"{name} uses {later}, which is no part yet", hint, place_of_name([tree], later))
    return found


def _part(text: str, option: str) -> tuple[str, Tree]:
    """Return the name and the tree of one part; places in the tree are those of the whole text."""
    typed, _, formula = text.partition("=")
    name = typed.strip()
    begin = len(typed) + 1
    if not formula.strip() or formula.startswith("=") or not name.isidentifier() or name.startswith("_"):
        span = Span(text, 0, max(1, len(typed)), option)
        raise UsageError(f"{option} takes NAME=EXPR", EXAMPLE.format(option), span)
    name = normal(name)
    if name in CONSTANTS or name in CALLABLE:
        what = "a constant" if name in CONSTANTS else "a function"
        raise UsageError(f"{name} is {what}", "give the part another name", Span(text, 0, len(typed), option))
    return name, syntax.parse_piece(text, begin, len(text), option)


def with_parts(tree: Tree, parts: Mapping[str, Tree]) -> Tree:
    """Return a tree in which the names of ``parts`` stand for their values; its free names are then theirs too."""
    if not any(name in parts for name in tree.names):
        return tree
    names = [free for name in tree.names for free in (parts[name].names if name in parts else (name,))]
    return tree._replace(names=tuple(dict.fromkeys(names)), parts=parts)


def using(relation: Relation, parts: Mapping[str, Tree]) -> Relation:
    whole = with_parts(relation.whole, parts)
    return relation._replace(names=whole.names, parts=whole.parts)
