"""The reader of the command line: a minus is no option, and typer agrees with it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from effort import examples
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gdcli.cli import option_types as rows
from gdcli.cli import typer_app as by_typer
from gdcli.cli.command_line import arrange, convert, read
from gdcli.cli.commands import COMMANDS, Command, MinimizeOptions
from gdcli.cli.options import MethodOptions
from gdcli.kernel.errors import UsageError, nearest

MINIMIZE = COMMANDS["minimize"]
EXPRESSIONS = [
    "-x**2",
    "-log(x)",
    "-(x)",
    "-2*x",
    "-",
    "-x",
    "-h**2",
    "x",
    "-x --y",
    "",
    " ",
    "-0",
    "@file",
    "-1",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("before", [True, False])
def test_an_expression_may_begin_with_a_minus(expression: str, before: bool) -> None:
    options = ["--start", "x=1", "--timing"]
    arguments = [expression, *options] if before else [*options, expression]
    assert arrange(arguments, MINIMIZE) == ["--start=x=1", "--timing", "--", expression]
    assert read(arrange(arguments, MINIMIZE), MINIMIZE)["expression"] == expression


@pytest.mark.parametrize(
    ("arguments", "field", "value"),
    [
        (["--target", "-5"], "target", "-5"),
        (["--target=-5"], "target", "-5"),
        (["--start", "-1,2"], "start", ["-1,2"]),
        (["--start=-1,2"], "start", ["-1,2"]),
        (["--set", "a=-3", "--set", "b=1"], "set", ["a=-3", "b=1"]),
        (["--target="], "target", ""),
        (["--tol", "1", "--tol", "2"], "tol", "2"),
        (["--start", "-h"], "start", ["-h"]),
        (["--timing"], "timing", True),
        ([], "timing", False),
        ([], "tol", None),
        ([], "start", []),
    ],
)
def test_values(arguments: list[str], field: str, value: object) -> None:
    assert read(arrange([*arguments, "x"], MINIMIZE), MINIMIZE)[field] == value


def test_after_two_minuses_all_is_positional() -> None:
    assert arrange(["--timing", "--", "--x"], MINIMIZE) == ["--timing", "--", "--x"]


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["x", "--tol", "nan", "-h"], ["-x", "--help"]])
def test_help_wins(arguments: list[str]) -> None:
    assert arrange(arguments, MINIMIZE) == ["--help"]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["x", "--strat", "x=1"], "unknown option --strat", "did you mean --start?"),
        (["--maxiter=5", "x"], "unknown option --maxiter", "--maxiter is --max-iter here"),
        (["--integer", "x"], "unknown option --integer", "there are no whole numbers"),
        (["--momentum", "0.9", "x"], "unknown option --momentum", "the coefficients of a method"),
        (["--beta", "x"], "unknown option --beta", "the coefficients of a method"),
        (["--gif", "a.gif", "x"], "unknown option --gif", "'gd minimize --help' lists the options"),
        (["--qqqqq", "x"], "unknown option --qqqqq", "'gd minimize --help' lists the options"),
        (["x", "--hlep"], "unknown option --hlep", "did you mean --help?"),
        (["x", "--start"], "--start needs a value: START", "Where to start"),
        (["x", "--start", "--tol", "3"], "--start needs a value: START", "Where to start"),
        (["x", "--start", "--tol=3"], "--start needs a value: START", "Where to start"),
        (["x", "--timing=yes"], "--timing takes no value", "write --timing alone"),
        ([], "EXPR is missing", "usage: gd minimize EXPR [OPTIONS]"),
        (["x", "+", "1"], "one EXPR is expected, and '+' is one more", "put the expression in quotes"),
        (
            ["y ~ a*x", "d.csv"],
            "one EXPR is expected, and 'd.csv' is one more",
            "a model with its data is for gd fit",
        ),
        (["x", "x=1", "y=2"], "one EXPR is expected, and 'x=1' is one more", "write --start x=1,y=2"),
        (["x", "x+y<=1"], "one EXPR is expected, and 'x+y<=1' is one more", "write --subject-to 'x+y<=1'"),
        (
            ["x", "--subject-to", "x>=5", "x<=3"],
            "one EXPR is expected, and 'x<=3'",
            "write --subject-to 'x<=3'",
        ),
        (["x+y", "--start", "1", "2"], "the value of --start has no spaces", "write --start 1,2"),
        (["x", "--x=1"], "unknown option --x", "the start of a variable is given with --start x=1"),
        (["x", "--x", "1"], "unknown option --x", "the start of a variable is given with --start x=1"),
        (["x", "-start", "x=1"], "unknown option -start", "options have two dashes: --start"),
        (["x", "-start=x=1", "y"], "unknown option -start=x=1", "options have two dashes: --start=x=1"),
        (["x", "-v"], "unknown option -v", "options have long names"),
        (["--" + "y" * 10**5, "x"], "unknown option --yyy", "'gd minimize --help'"),
    ],
)
def test_what_is_wrong(arguments: list[str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        arrange(arguments, MINIMIZE)
    assert caught.value.message.startswith(message)
    assert caught.value.hint.startswith(hint)
    assert len(caught.value.message) < 100


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            "resume a --lr 1",
            "it is one of gd minimize, gd maximize, gd compare-lr and 4 more; 'gd resume --help' lists",
        ),
        ("show a --emit c", "it is one of gd minimize, gd maximize, gd fit; 'gd show --help' lists"),
        ("gradient x --start x=1", "--start is --at here"),
    ],
)
def test_an_option_of_other_commands_is_told_to_be_one(words: str, hint: str) -> None:
    name, *arguments = words.split()
    with pytest.raises(UsageError) as caught:
        arrange(arguments, COMMANDS[name])
    assert caught.value.hint.startswith(hint)


def test_a_decimal_comma_in_an_option() -> None:
    arranged = arrange(["x", "--lr", "0,1"], MINIMIZE)
    with pytest.raises(UsageError) as caught:
        convert(read(arranged, MINIMIZE), MINIMIZE)
    assert caught.value.hint == "numbers have a decimal point: --lr 0.1"


def test_every_command_has_what_it_needs() -> None:
    for command in COMMANDS.values():
        assert callable(command.load())
        names = [option.name for option in command.options]
        assert len(names) == len(set(names))
        assert all(option.default for option in command.options)


def test_what_commands_read_is_in_the_table() -> None:
    """The values of a command line are read by name; each name is an option or argument, or what `perform` adds."""
    known = {row.field for command in COMMANDS.values() for row in (*command.options, *command.arguments)}
    known |= {"command", "typed", "resumed"}
    for path in sorted(Path(by_typer.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Constant):
                continue
            if ast.unparse(node.value) in ("values", "self._values"):
                assert node.slice.value in known, f"{path.name}:{node.lineno}"


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[Command, list[str]]:
    """Any arrangement of options and positional arguments that one of the commands takes."""
    command = draw(st.sampled_from(list(COMMANDS.values())))
    word = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
    value = st.one_of(word, word.map("-".__add__), st.sampled_from(["-5", "x=1", "--x", "a=-1", "-"]))
    known = [o.name for o in command.options]
    parts: list[list[str]] = []
    for option in draw(st.lists(st.sampled_from(command.options), max_size=6)) if command.options else []:
        given = draw(value)
        joined = draw(st.booleans()) or given.partition("=")[0] in known or given == "--"
        parts.append(
            [option.name]
            if not option.metavar
            else [f"{option.name}={given}"]
            if joined
            else [option.name, given]
        )
    for argument in command.arguments:
        positional = value.filter(lambda v: not v.startswith("--") and v != "-h")
        parts += [[draw(positional)] for _ in range(draw(st.integers(0, 3)) if argument.many else 1)]
    return command, [word for part in draw(st.permutations(parts)) for word in part]


@given(command_lines())
@example((COMMANDS["completion"], ["", "~"]))
@settings(max_examples=examples(200), deadline=None)
def test_typer_reads_the_same(line: tuple[Command, list[str]]) -> None:
    command, arguments = line
    try:
        arranged = arrange(arguments, command)
    except UsageError as told:
        # A file that is not there, behind an option, looks like more of its value; one with a ~ like a model.
        assume(not told.message.endswith("has no spaces") and " comes first, then " not in told.message)
        raise
    ours, theirs = read(arranged, command), by_typer.read(arranged, command)
    assert {k: v or None for k, v in ours.items()} == {k: v or None for k, v in theirs.items()}
    assert arrange(arranged, command) == arranged


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--tol", "0", 0.0),
        ("--tol", "1e-9", 1e-9),
        ("--max-iter", "1e3", 1000),
        ("--max-iter", "0", 0),
        ("--max-evaluations", "0", None),
        ("--max-time", "0", None),
        ("--max-time", "30s", 30.0),
        ("--max-time", "2m", 120.0),
        ("--max-time", "500ms", 0.5),
        ("--max-time", "1.5h", 5400.0),
        ("--max-time", "0.25", 0.25),
        ("--target", "-5", -5.0),
        ("--step-sizes", "100,10, 1", (100.0, 10.0, 1.0)),
        ("--print", "x, value", ("x", "value")),
        ("--format", "csv", "csv"),
        ("--seed", "7", 7),
    ],
)
def test_values_are_converted(option: str, value: str, expected: object) -> None:
    options = convert(read(arrange(["x", option, value], MINIMIZE), MINIMIZE), MINIMIZE)
    assert getattr(options, option[2:].replace("-", "_")) == expected


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(
            (o, v)
            for o in ("--tol", "--gradient-tol", "--step-tol", "--value-tol")
            for v in ("-1", "nan", "inf", "a", "")
        ),
        *((o, v) for o in ("--h", "--lr") for v in ("0", "-1", "nan", "1,2", "1e999")),
        *(
            (o, v)
            for o in ("--max-iter", "--max-evaluations", "--seed")
            for v in ("-1", "nan", "1.5", "inf", "x")
        ),
        *(("--every", v) for v in ("0", "-1", "0.5", "")),
        *(("--max-time", v) for v in ("-1", "3y", "s", "", "nan", "1 fortnight", "-2m")),
        *(("--target", v) for v in ("nan", "inf", "x")),
        *(("--step-sizes", v) for v in ("", "1,,2", "0", "1,-1", "nan")),
        *(("--format", v) for v in ("", "xml", "JSON")),
        ("--gradient", "numerical"),
        ("--print", "x,,y"),
        ("--tol", "9" * 5000),
        ("--max-iter", "9" * 5000),
    ],
)
def test_wrong_values_are_usage_errors(option: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        convert(read(arrange(["x", f"{option}={value}"], MINIMIZE), MINIMIZE), MINIMIZE)
    assert caught.value.message.startswith(option)
    assert len(caught.value.message) < 150
    assert caught.value.span is not None
    assert caught.value.span.source == option


def test_of_a_short_name_the_nearest_is_one_edit_away() -> None:
    known = ["floor", "sin", "sqrt", "exp"]
    assert [nearest(name, known) for name in ("foo", "abc", "xp")] == [None, None, "exp"]
    assert [nearest(name, known) for name in ("sni", "son", "sqr", "sinn", "flor", "Sin")] == [
        "sin", "sin", "sqrt", "sin", "floor", "sin",
    ]  # fmt: skip


def test_an_option_of_other_commands_is_found_by_its_other_names() -> None:
    methods = COMMANDS["methods"]
    for typed in ("--subject-to", "--st"):
        with pytest.raises(UsageError) as caught:
            arrange([typed, "x >= 1"], methods)
        assert "is one of gd minimize, gd maximize" in caught.value.hint
    assert caught.value.hint.startswith("--subject-to is one of")


def test_where_no_expression_is_asked_for_none_is_to_be_quoted() -> None:
    with pytest.raises(UsageError) as caught:
        arrange(["minimize", "fit"], COMMANDS["help"])
    assert caught.value.hint == "usage: gd help [COMMAND] [OPTIONS]"


@pytest.mark.parametrize(
    ("command", "typed", "hint"),
    [
        ("fit", "--confidence", "--confidence is --level here"),
        ("fit", "--profile", "--profile is --intervals profile here"),
        ("minimize", "--profile", "--profile is --timing here"),
        ("fit", "--bootstrap", "--bootstrap is --intervals bootstrap here"),
        ("fit", "--cov", "--cov is --covariance here"),
        ("fit", "--ridge", "--ridge is --l2 here"),
        ("fit", "--fix", "--fix is --set here"),
        ("fit", "--delimiter", "the delimiter and the encoding are found out"),
        ("compare-models", "--sep", "the delimiter and the encoding are found out"),
        ("fit", "--degree", "the model is written out"),
        ("fit", "--lasso", "the penalty that there is has squares"),
        ("predict", "--band", "--band is --interval here"),
        ("predict", "--ci", "--ci is --level here"),
    ],
)
def test_options_are_known_by_the_names_of_other_tools(command: str, typed: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        arrange(["y ~ a*x", typed, "1"], COMMANDS[command])
    assert caught.value.hint.startswith(hint)


def test_dashes_make_no_likeness() -> None:
    options = ["--max-iter", "--engine", "--set", "--start"]
    assert [nearest(name, options) for name in ("--integer", "--gif", "--beta", "-strat")] == [
        None,
        None,
        None,
        "--start",
    ]


def test_nearest_words() -> None:
    for option, value, hint in (
        ("--format", "jsno", "json"),
        ("--gradient", "simbolic", "symbolic"),
        ("--format", "CSV", "csv"),
    ):
        with pytest.raises(UsageError) as caught:
            convert(read(arrange(["x", option, value], MINIMIZE), MINIMIZE), MINIMIZE)
        assert caught.value.hint == f"did you mean {hint}?"


def test_the_defaults_in_the_help_are_those_of_the_api() -> None:
    from gdcli.api import Settings

    shown = {option.field: option.default for option in MINIMIZE.options}
    assert shown["max_iter"] == str(Settings().most_iterations)
    assert shown["method"] == Settings().method
    assert shown["gradient"] == Settings().gradient


def test_the_gradients_offered_are_those_there_are() -> None:
    # The option table is read at every start, and must not import what builds objectives.
    from gdcli.cli import options
    from gdcli.objective import build

    assert options.GRADIENTS == build.GRADIENTS


def test_options_after_two_dashes_are_told_where_to_go() -> None:
    with pytest.raises(UsageError) as error:
        arrange(["--", "-x**2", "--start", "x=1"], COMMANDS["minimize"])
    assert error.value.hint == "nothing after -- is an option: put the options before it"


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_what_is_left_out_is_a_row_of_the_bases(command: Command) -> None:
    known = {row.field for base in command.takes.__mro__[1:-1] for row in rows.options_of(base)}
    assert command.takes.left_out <= known


def test_options_do_not_change() -> None:
    options = convert(read(arrange(["x", "--max-iter", "5"], MINIMIZE), MINIMIZE), MINIMIZE)
    assert isinstance(options, MinimizeOptions)
    assert (options.max_iter, options.multi_start, options.timing, options.start) == (5, None, False, [])
    with pytest.raises(AttributeError, match="max_iter cannot be set"):
        options.max_iter = 6  # type: ignore[misc]
    assert MinimizeOptions({}).start == ()
    assert MinimizeOptions({"lr": 0.1}).given(MethodOptions) == {"lr": 0.1}
