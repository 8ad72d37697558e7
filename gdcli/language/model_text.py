"""A model of data: ``left ~ right``, or one expression that is the loss of a row.

Both sides are plain expressions. Names that are columns of the data are read from each row; a data matrix gathers
many columns under one name and stands before an ``@``; what remains are the parameters to be found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gdcli.kernel.dataclass import NamedTuple
from gdcli.kernel.errors import Span, UsageError, did_you_mean
from gdcli.language import tree_names
from gdcli.language.functions import CONSTANTS
from gdcli.language.syntax import Tree, parse, parse_piece, postorder
from gdcli.language.tokens import without_comments

if TYPE_CHECKING:
    from gdcli.language.row_condition import Category, Levels

_AS_NUMBERS = "write 1 into the data where it is what is counted, and 0 elsewhere"


class Model(NamedTuple):
    """A checked model: its text, the side left of the tilde (None: there is no tilde), and the other side.

    ``categories`` are the calls C(...) in it, each of which is a name in the trees until its levels are known.
    """

    text: str
    left: Tree | None
    right: Tree
    source: str = ""
    categories: tuple[Category, ...] = ()

    @property
    def trees(self) -> tuple[Tree, ...]:
        return (self.right,) if self.left is None else (self.left, self.right)

    @property
    def texts(self) -> list[Tree]:
        """The sides, and the named parts that they use: all that was typed."""
        return tree_names.with_parts(self.trees)

    def with_levels(self, levels: Mapping[str, Levels]) -> Model:
        """Return the same model with the sums that its categories are, by the texts of these."""
        from gdcli.language.row_condition import expanded

        left = None if self.left is None else expanded(self.left, levels)
        return self._replace(left=left, right=expanded(self.right, levels))

    def using(self, parts: Mapping[str, Tree]) -> Model:
        from gdcli.language.relation import with_parts

        left = None if self.left is None else with_parts(self.left, parts)
        return self._replace(left=left, right=with_parts(self.right, parts))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for tree in self.trees for name in tree.names))


def parse_model(text: str, source: str = "") -> Model:
    """Return the checked model. Raises UsageError, with the place in the text as typed and what to write."""
    calls: dict[str, Category] = {}
    typed = text
    if "C(" in text:
        from gdcli.language.row_condition import masked, restored

        text, calls = masked(text, source)
    try:
        model = _parse_model(text, source)
    except UsageError as error:
        from gdcli.language.notation import told  # only an error needs it

        found = told(error, "model")
        if error.span is not None and _is_title(error.span):
            title = "_".join(error.span.text[error.span.start : error.span.end].split())
            found.hint += f"; a column whose title has spaces is written with underscores: {title}"
        if found.span is not None:
            found.span = found.span._replace(text=typed)
        for name, call in calls.items():
            found.hint = found.hint.replace(name, call.text)
        raise found from None
    if not calls:
        return model
    left = None if model.left is None else restored(model.left, typed, calls)
    if left is not None and model.left is not None and model.left.root.value in calls:
        place = Span(typed, left.root.start, left.root.end, source)
        raise UsageError("what is measured is a number, and not a category", _AS_NUMBERS, place)
    return Model(typed, left, restored(model.right, typed, calls), source, tuple(calls.values()))


def _is_title(span: Span) -> bool:
    """Tell whether the fault is words with spaces between, which may be the title of a column."""
    words, called = span.text[span.start : span.end].split(), span.text[span.end :].lstrip()[:1] == "("
    return len(words) > 1 and not called and all(len(word) > 1 and word.isidentifier() for word in words)


def _parse_model(text: str, source: str) -> Model:
    code = without_comments(text)
    tildes = [i for i, c in enumerate(code) if c == "~"]
    if len(tildes) > 1:
        raise UsageError(
            "a model has one ~",
            "what is measured stands to the left of it, the formula for it to the right",
            Span(text, tildes[1], tildes[1] + 1, source),
        )
    if not tildes:
        return Model(text, None, parse(text, source), source)
    at = tildes[0]
    left = text[:at].strip() or "y"
    for which, side, hint in (
        ("left", code[:at], "y ~ a*x + b"),
        ("right", code[at + 1 :], f"{left} ~ a*x + b"),
    ):
        if not side.strip():
            raise UsageError(
                f"nothing stands {which} of the ~", f"for example {hint}", Span(text, at, at + 1, source)
            )
    return Model(text, parse_piece(text, 0, at, source), parse_piece(text, at + 1, len(text), source), source)


class Names(NamedTuple):
    """What the names of a model are: ``parameters`` with their lengths (None: a number), ``columns`` in use.

    ``columns`` has those inside a data matrix too; ``matrices`` the columns of each matrix in use.
    """

    parameters: dict[str, int | None]
    columns: tuple[str, ...]
    matrices: dict[str, tuple[str, ...]]


def _parameters(
    model: Model,
    others: Collection[str],
    lengths: Mapping[str, int | None],
    matrices: Mapping[str, Sequence[str]],
) -> dict[str, int | None]:
    """Return the length of each name of the model that is none of the ``others``."""
    free: set[str] = set()
    multiplied: dict[str, int | None] = {}
    for tree in model.texts:
        known = {name: 0.0 for name in others if name in tree.names}
        free.update(tree_names.variables(tree, known, [name for name in lengths if name in tree.names]))
        for name, length in _multiplied(tree, matrices).items():
            if multiplied.get(name) is None:
                multiplied[name] = length
    found = {name: lengths.get(name) for name in model.names if name in free}
    return {name: multiplied.get(name) if length is None else length for name, length in found.items()}


def sort_names(
    model: Model,
    columns: Collection[str],
    matrices: Mapping[str, Sequence[str]],
    constants: Mapping[str, Any],
    lengths: Mapping[str, int | None],
) -> Names:
    """Tell columns, matrices and parameters apart.

    ``columns`` are those of the data, ``constants`` what ``--set`` gives, ``lengths`` the lengths of the parameters
    that have a start. A vector without one has the length of the matrix that multiplies it. A column has the name of
    a function where that is not called. Raises UsageError for a constant that the model lacks or that is a column, for
    a name that may be a constant or a column, for one that is nearly a column's, and for a model without parameters.
    """
    _check_columns(model, columns, {*matrices, *constants, *lengths})
    for option, given in (("--columns", matrices), ("--set", constants)):
        for name in given:
            if name not in model.names:
                told = f"{option} gives {name}, which the model does not have"
                raise UsageError(told, did_you_mean(name, model.names))
            if given is constants and name in columns:
                raise UsageError(f"--set gives {name}, which is a column of the data", "rename one of them")
    used = {name: model_columns(model, name, matrices) for name in model.names if name in matrices}
    plain = [name for name in model.names if name in columns and name not in matrices]
    parameters = _parameters(model, (*plain, *used, *constants), lengths, used)
    if not parameters:
        hint = _written_out(model, plain) if model.left is not None else ""
        if constants:
            hint = "--set gives all of them a value: leave one out, or begin there, with --start"
        raise UsageError("the model has no parameter to be found", hint, Span(model.text, 0, 0, model.source))
    _check_categories(model, parameters)
    found = dict.fromkeys([*plain, *(column for name in used for column in used[name])])
    return Names(parameters, tuple(found), used)


def _written_out(model: Model, columns: Sequence[str]) -> str:
    """The hint for a model without parameters: one with a parameter for each column, as R means it."""
    assert model.left is not None
    free = (letter for letter in "abcdfghkmnpqrstuvw" if letter not in columns)
    calls = {call.text for call in model.categories}
    used = [name for name in columns[:8] if name in model.right.names]
    terms = [next(free), *(name if name in calls else f"{next(free)}*{name}" for name in used)]
    at = model.text.index("~")
    return f"parameters are written out: {model.text[:at].strip()} ~ {' + '.join(terms)}"


def _check_categories(model: Model, parameters: Collection[str]) -> None:
    """Raise UsageError for a parameter that stands only before a category: it cannot be told from those of this."""
    calls = {call.text for call in model.categories}
    nodes = list(postorder(model.right.root)) if calls else []
    times = Counter(node.value for node in nodes if node.op == "name")
    for node in nodes:
        if node.op != "mul" or not all(part.op == "name" for part in node.args):
            continue
        for factor, call in (node.args, node.args[::-1]):
            if call.value in calls and factor.value in parameters and times[factor.value] == 1:
                told = f"{call.value} has parameters of its own, from which {factor.value} cannot be told"
                hint = f"write {call.value} without {factor.value}"
                raise UsageError(told, hint, Span(model.text, factor.start, factor.end, model.source))


def _check_columns(model: Model, columns: Collection[str], given: Collection[str]) -> None:
    """Raise UsageError for names that may be meant for columns; ``given`` are names that are something else."""
    matrices = {name for tree in model.texts for name in tree_names.multiplied(tree, 0)}
    _check_near_columns(model, [name for name in model.names if name not in matrices], columns, given)
    _check_matrices(model, matrices, columns, given)
    _check_products(model, columns, given)
    if not {"e", "E"}.intersection((*columns, *given)):  # else it has been asked which is meant
        _check_factor_e(model)
    measured = () if model.left is None else model.left.names
    unknown = [name for name in measured if name not in given and name not in CONSTANTS]
    if unknown and not any(name in columns or name in given for name in measured):
        titles = [name for name in columns if name]
        raise UsageError(
            f"{unknown[0]} is not a column of the data",
            did_you_mean(unknown[0], titles, columns_told(columns)),
            place_of(model, unknown[0]),
        )


def _check_matrices(
    model: Model, matrices: set[str], columns: Collection[str], given: Collection[str]
) -> None:
    """Raise UsageError for one of ``matrices`` that is none, and for a column where a vector multiplies one."""
    for name in sorted(matrices.difference(columns, given)):
        raise UsageError(
            f"{name} is not a matrix of columns of the data",
            f'name its columns: --columns "{name}={_all_of(columns, model)}"; {columns_told(columns)}',
            place_of(model, name),
        )
    for name in sorted({name for tree in model.texts for name in tree_names.multiplied(tree, 1)}):
        if name in columns:
            hint = "give the parameters that multiply a matrix another name"
            raise UsageError(f"{name} is a column of the data, and no vector", hint, place_of(model, name))


def _all_of(columns: Collection[str], model: Model) -> str:
    """A pattern for the columns that a model does not name."""
    free = [name for name in columns if name and name not in model.names] or ["x*"]
    return "|".join(free[:3]) + ("|..." if len(free) > 3 else "")


def _check_near_columns(
    model: Model, names: Iterable[str], columns: Collection[str], given: Collection[str]
) -> None:
    """Raise UsageError for one of ``names`` that is a column and a constant, or a column but for its case."""
    by_case = {name.lower(): name for name in columns}
    for name in names:
        number = {"e": "exp(1)", "pi": "acos(-1)"}.get(name)
        if name in columns and name in CONSTANTS:
            raise UsageError(
                f"{name} is a column of the data and the constant {CONSTANTS[name]:.6g}",
                f"for the column write c and add --columns c={name}; for the number write {number}",
                place_of(model, name),
            )
        close = by_case.get(name.lower())
        elsewhere = name in CONSTANTS and close in model.names  # the column stands there as it is called
        if close is not None and name not in columns and name not in given and not elsewhere:
            raise meant_for_column(model, name, close, f"the number write {number}" if number else "")


def _check_factor_e(model: Model) -> None:
    """Raise UsageError for the number e but as the base of a power: it may be the parameter that follows a, b, c, d."""
    for tree in model.texts:
        nodes = tree_names.all_nodes(tree.root)
        bases = {node.args[0].start for node in nodes if node.op == "pow"}
        for node in nodes:
            if node.op == "name" and node.value == "e" and node.start not in bases:
                raise tree.error(
                    node,
                    "e is the number 2.71828, and no parameter",
                    "give the parameter another name; for the number write exp(1)",
                )


def meant_for_column(model: Model, name: str, column: str, otherwise: str = "") -> UsageError:
    """Return the error for a name that is nearly that of a column, with what else to do (a start for a parameter)."""
    return UsageError(
        f"{name} is not a column of the data, but {column} is",
        f"write {column} for the column; for {otherwise or f'a parameter add --start {name}=1'}",
        place_of(model, name),
    )


def _check_products(model: Model, columns: Collection[str], given: Collection[str]) -> None:
    """Raise UsageError for a name that may be a product with a column: ``ax``."""
    measured = () if model.left is None else model.left.names
    unused = [column for column in columns if column and column not in model.names]
    for name in model.names:
        if name not in (*given, *columns, *measured) and name.endswith(tuple(unused)):
            from gdcli.language.notation import as_product

            product = as_product(name, unused)
            if product:
                raise UsageError(
                    f"{name} is one name, and no column of the data",
                    f"write {product}; for a parameter add --start {name}=1",
                    place_of(model, name),
                )


def no_column(name: str, columns: Collection[str], asking: str = "", span: Span | None = None) -> UsageError:
    """Return the error for a name that is none of the ``columns``, with the option that is ``asking`` for it."""
    hint = did_you_mean(name, [column for column in columns if column], columns_told(columns))
    return UsageError(f"{asking}there is no column {name}", hint, span)


def columns_told(columns: Collection[str]) -> str:
    """Return which columns there are, and how many have no name."""
    names = [name for name in columns if name]
    more = f", ... ({len(names)} in all)" if len(names) > 8 else ""
    nameless = [i for i, name in enumerate(columns, 1) if not name]
    told = f"; column {nameless[0]} has no title" if nameless else ""
    if len(nameless) > 1:
        told = f"; {len(nameless)} columns, the first of them column {nameless[0]}, have no title"
    return f"the columns are {', '.join(names[:8])}{more}{told}"


def model_columns(model: Model, name: str, matrices: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the columns of a data matrix; an error when it has none."""
    if not matrices[name]:
        raise UsageError(f"the data matrix {name} has no columns", 'for example --columns "X=x*"')
    return tuple(matrices[name])


def _multiplied(tree: Tree, matrices: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The vectors that stand after a matrix and an @, with the number of the matrix's columns."""
    found: dict[str, int] = {}
    for node in tree_names.all_nodes(tree.root):
        if node.op == "matmul" and node.args[1].op == "name":
            matrix = tree_names.name_of(node.args[0])
            if matrix is not None and matrix in matrices:
                found.setdefault(str(node.args[1].value), len(matrices[matrix]))
    return found


def place_of(model: Model, name: str) -> Span | None:
    return tree_names.place_of_name(model.texts, name)
