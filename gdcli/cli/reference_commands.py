"""What can be looked up: `gd methods`, `gd functions`, `gd man` and `gd help`.

The manual page is written from the same table as the help. It is roff for the ``man`` macros: ``gd man | man -l -``, or
``gd man > ~/.local/share/man/man1/gd.1``. On a terminal it is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gdcli import __version__
from gdcli.cli.command_line import unknown_command
from gdcli.cli.commands import (
    COMMANDS,
    FIRST,
    Command,
    FunctionListOptions,
    HelpOptions,
    ManOptions,
    MethodListOptions,
)
from gdcli.cli.environment import Environment
from gdcli.kernel.errors import UsageError, did_you_mean
from gdcli.record.schema import SCHEMA
from gdcli.render import formats
from gdcli.render.formats import show, width_of
from gdcli.render.page import LABEL, fact, wrap

if TYPE_CHECKING:
    from gdcli.render.page import Line


def listing(options: MethodListOptions | FunctionListOptions, env: Environment) -> int:
    told = (methods if options.command == "methods" else functions)(options.names)
    if options.format == "json":
        from gdcli.record.serialization import json_block

        env.stdout.write(json_block(told))
    elif options.format == "plain":
        for row in told["functions"]:
            print(row["call"], row["meaning"], row["domain"], row["derivative"], sep="\t", file=env.stdout)
    else:
        show(page(told, width_of(env.stdout)), env.stdout)
    return 0


def page(told: Mapping[str, Any], width: int) -> list[Line]:
    return (_methods if told["type"] == "methods" else _functions)(told, width)


# -- methods ---------------------------------------------------------------------------------------------------------


def methods(names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the methods and the step rules as a record, or of it the methods named.

    Raises UsageError for one that there is not.
    """
    from gdcli.solve.methods.descent import STEP_RULES
    from gdcli.solve.registry import METHODS, find

    chosen = [find(name.lower()) for name in dict.fromkeys(names)] or METHODS.values()
    rules = {} if names else dict(STEP_RULES)
    methods = [
        {
            "name": m.name,
            "help": m.help,
            "needs": m.needs,
            "use": m.use,
            "options": _option_names(m.reads),
            "epochs": m.lr is not None,
        }
        for m in chosen
    ]
    return {"schema": SCHEMA, "type": "methods", "methods": methods, "step_rules": rules}


def _option_names(fields: Iterable[str]) -> list[str]:
    return ["--" + field.replace("_", "-") for field in sorted(fields)]


def _methods(told: Mapping[str, Any], width: int) -> list[Line]:
    lines: list[Line] = []
    for method in told["methods"]:
        lines += fact(method["name"], method["help"], width, label_role="title")
        lines += fact("", f"needs: {method['needs']}", width)
        lines += fact("", f"use: {method['use']}", width)
        if method["options"]:
            lines += fact("", f"reads: {', '.join(method['options'])}", width)
        if method["epochs"]:
            lines += fact("", "goes by epochs, too: gd fit --epochs", width)
    if not told["step_rules"]:
        return lines
    lines += [[], [("step rules (--step-rule)", "title")]]
    for name, what in told["step_rules"].items():
        lines += fact(f"  {name}", what, width)
    return lines


# -- functions -------------------------------------------------------------------------------------------------------


def functions(names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the language as a record, or of it the functions named. Raises UsageError for one that there is not."""
    from gdcli.language.listing import functions, language, meant

    head = {"schema": SCHEMA, "type": "functions"}
    if not names:
        return head | language()
    rows = {row["name"]: row for row in functions()}
    for name in names:
        if name not in rows:
            raise UsageError(f"there is no function '{name[:40]}'", meant(name))
    chosen = [rows[name] for name in dict.fromkeys(names)]
    return head | {"functions": chosen, "constants": [], "operators": []}


def _functions(told: Mapping[str, Any], width: int) -> list[Line]:
    lines: list[Line] = []
    if told["operators"]:
        lines.append([("functions (x a number or, element by element, a vector)", "title")])
    for row in told["functions"]:
        notes = [note for note in (row["domain"], "not smooth" if row["kink"] else "") if note]
        text = row["meaning"] + f" ({'; '.join(notes)})" * bool(notes)
        lines += _labelled(row["call"], text, width)
        lines += fact("", f"derivative {row['derivative']}", width)
    if not told["operators"]:
        return lines
    lines += [[], [("constants", "title")]]
    for row in told["constants"]:
        lines += fact(row["name"], f"{row['value']:.16g}", width)
    lines += [[], [("what else stands in an expression", "title")]]
    for row in told["operators"]:
        lines += _labelled(row["text"], row["meaning"], width)
    return lines


def _labelled(label: str, text: str, width: int) -> list[Line]:
    """A fact whose label has a line of its own where it is long."""
    if len(label) < LABEL:
        return fact(label, text, width, label_role="title")
    return [[(label, "title")], *fact("", text, width)]


# -- gd man, gd help --------------------------------------------------------------------------------------------------


_CODES = (
    ("0", "converged, or completed"),
    ("1", "an error of gd, or the answer cannot be written"),
    ("2", "usage: the expression, an option, the start or a problem file is wrong"),
    ("3", "a limit was reached: iterations, evaluations, time, memory"),
    ("4", "diverged: there is no minimum, or it is at infinity"),
    ("5", "stalled: no progress, yet not at a stationary point"),
    ("6", "the wrong kind of point: a saddle, or parameters that the data do not tell"),
    ("7", "domain: no finite value at the start"),
    ("8", "data: a file cannot be read as asked"),
    ("9", "an answer that differs: from what was expected, from another way, from a stored one"),
    ("10", "infeasible: no point was found where all constraints hold"),
    ("130, 143, 141", "interrupted, terminated, standard output closed by its reader"),
)


_ENVIRONMENT = (
    ("COLUMNS", "the width of tables, where it is set"),
    ("NO_COLOR", "no colours on a terminal, where it is set"),
    ("GDCLI_CACHE_DIR", "the folder in which machine code is kept, in place of ~/.cache/gdcli"),
    ("GDCLI_DEBUG", "the traceback of an error that is a fault of gd, where it is set"),
)
_ABOUT = """An expression is typed as Python writes arithmetic, in quotes. gd finds its minimum, fits it to data,
or examines its gradient, and shows the answer with what speaks for it: 'converged' is a claim about the point, not
about the loop. The answer goes to standard output, warnings and errors to standard error; the exit code tells how it
ended. With --format json or jsonl the answer is one for programs, and can be shown, repeated and compared later."""
# Commands that differ in a word.
_SAME = {"maximize": "minimize"}


def man(options: ManOptions, env: Environment) -> int:
    name = options.command_name
    if name is None or name in COMMANDS:
        text = man_page(None if name is None else COMMANDS[name])
        if formats.is_terminal(env.stdout):
            text = readable(text, formats.width_of(env.stdout))
        env.stdout.write(text)
        return 0
    found = texts()
    if name not in found:
        known = [*COMMANDS, *found]
        hint = did_you_mean(name, known, f"'gd --help' lists the commands; there are also {', '.join(found)}")
        raise UsageError(f"there is no page about '{name[:40]}'", hint)
    env.stdout.write(found[name].read_text(encoding="utf-8"))
    return 0


def help_command(options: HelpOptions, env: Environment) -> int:
    name = options.command_name
    if name is not None and name not in COMMANDS:
        raise unknown_command(name, "gd help")
    from gdcli.cli.typer_app import help_of

    env.stdout.write(help_of(name))
    return 0


def texts() -> dict[str, Path]:
    """Return the files of the longer texts by name: in the package where it is installed, else in the checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "docs", package.parent / "docs"):
        found = {path.stem: path for path in sorted(folder.glob("*.md"))}
        if found:
            return found
    return {}


def man_page(command: Command | None = None) -> str:
    title = "gd" if command is None else f"gd-{command.name}"
    summary = (
        "type mathematics, get the optimum and the evidence for it" if command is None else command.summary
    )
    lines = [
        f'.TH {title.upper()} 1 "" "gd {__version__}"',
        # Words and gaps as they are typed: examples and options would be torn apart else.
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{_text(title)} \\- {_text(summary)}",
    ]
    lines.append(".SH SYNOPSIS")
    if command is None:
        lines += [".B gd", ".I COMMAND", "[ARGUMENTS] [OPTIONS]"]
        lines += [
            ".SH DESCRIPTION",
            _text(" ".join(_ABOUT.split())),
            ".PP",
            "Most people want:",
            ".PP",
            ".nf",
        ]
        lines += [*(f"    {_text(example)}" for example in FIRST), ".fi", ".SH COMMANDS"]
        for one in COMMANDS.values():
            lines += [f".SS {one.name}", *_body(one, _SAME.get(one.name, ""))]
    else:
        lines += [_text(command.usage), ".SH DESCRIPTION", *_body(command)]
        guide = texts().get(command.name)
        if guide is not None:
            lines += _guide(guide.read_text(encoding="utf-8"))
    lines.append(".SH EXIT STATUS")
    for code, meaning in _CODES:
        lines += [".TP", f".B {code}", _text(meaning)]
    lines.append(".SH ENVIRONMENT")
    for name, meaning in _ENVIRONMENT:
        lines += [".TP", f".B {name}", _text(meaning)]
    return "\n".join(lines) + "\n"


def _body(command: Command, same: str = "") -> list[str]:
    """The text of a command, its arguments and options; ``same`` is a command before it that has the same ones."""
    lines: list[str] = []
    for paragraph in command.text.split("\n\n"):
        lines += [".PP", _text(" ".join(paragraph.split()))]
    lines += [".PP", f"Usage: {_text(command.usage)}"]
    for argument in command.arguments:
        lines += [".TP", f".I {_text(argument.metavar)}", _text(argument.help)]
    lines += [".PP", f"Its options are those of {same}."] if same else _option_lines(command)
    if command.examples:
        lines += [".PP", "Examples:", ".PP", ".nf"]
        lines += [f"    {_text(example)}" for example in command.examples]
        lines.append(".fi")
    return lines


def _option_lines(command: Command) -> list[str]:
    lines: list[str] = []
    group = ""
    for option in sorted(command.options, key=lambda o: [p.group for p in command.options].index(o.group)):
        if option.group != group:
            group = option.group
            lines += [".PP", f"{_text(group)}:"]
        metavar = f" \\fI{_text(option.metavar)}\\fR" if option.metavar else ""
        # That a flag is off without being given goes without saying.
        said = option.default and (option.metavar or option.default != "off")
        default = f" (default: {_text(option.default)})" if said else ""
        lines += [".TP", f"\\fB{_text(option.name)}\\fR{metavar}", _text(option.help) + default]
    return lines


def _guide(text: str) -> list[str]:
    """A text in Markdown: headings, paragraphs, and as they are lists, tables and what stands in a fence."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            lines += [".fi"] if fenced else [".PP", ".nf"]
            fenced = not fenced
        elif fenced:
            lines.append(_text(f"    {line}"))
        elif line.startswith("#"):
            lines.append((".SH " if line.startswith("# ") else ".SS ") + _text(line.lstrip("# ")))
        elif not line.strip():
            lines.append(".PP")
        elif line.startswith(("|", "- ", "* ", "!")):
            lines += [".br", _text(line)]
        else:
            lines.append(_text(line))
    return lines


def _text(text: str) -> str:
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha")
    plain = plain.replace("~", "\\(ti").replace("`", "\\(ga")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


# -- as a terminal shows it ------------------------------------------------------------------------------------------

_ESCAPED = {"&": "", "-": "-", "e": "\\", "(aq": "'", "(ha": "^", "(ti": "~", "(ga": "`"}
_ESCAPE = r"\\(f[BIR]|\(..|.)"
_INDENT = 4
_WIDEST = 100  # longer lines are hard to read


def readable(roff: str, width: int) -> str:
    lines: list[str] = []
    for blank, indent, text in _blocks(roff):
        if blank and lines and lines[-1]:
            lines.append("")
        room = min(width, _WIDEST) - indent
        shown = [text] if text.startswith(" ") else wrap(text, room)
        lines += [f"{' ' * indent}{line}".rstrip() for line in shown]
    return "".join(f"{line}\n" for line in lines)


_HEADS = {".SH": 0, ".SS": _INDENT // 2}


def _blocks(roff: str) -> Iterator[tuple[bool, int, str]]:
    """The paragraphs of a page: whether there is a blank line before it, its indent, its text."""
    blank, indent, words = False, _INDENT, ""
    as_it_is = tag = headed = False
    for line in [*roff.splitlines(), ".PP"]:
        request, _, rest = line.partition(" ") if line.startswith(".") else ("", "", line)
        text = re.sub(_ESCAPE, lambda found: _ESCAPED.get(found[1], ""), rest)
        if request in ("", ".B", ".I"):
            if tag:
                yield blank, _INDENT, text
                blank, indent, tag = False, 3 * _INDENT, False
            elif as_it_is:
                yield blank, _INDENT, text
                blank = False
            else:
                words = f"{words} {text}".lstrip()
            headed = False
            continue
        if words:
            yield blank, indent, words
            blank, words = False, ""
        if request in _HEADS:
            yield True, _HEADS[request], text
        as_it_is, tag = request == ".nf", request == ".TP"
        if request != ".br":
            blank = request in (".PP", ".TP", ".nf") and not headed
            headed = request in _HEADS or (headed and request == ".PP")
            indent = _INDENT
