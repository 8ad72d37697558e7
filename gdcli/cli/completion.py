"""`gd completion`: what a shell offers while a command line is typed.

The script of each shell is short: it hands the words typed so far to ``gd completion words`` and offers the lines that
come back; where none come back it offers files. All that can be offered is read from the one table of commands and
options, so nothing here has to be kept up with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from gdcli.cli.commands import COMMANDS, Command
from gdcli.cli.options import Option
from gdcli.errors import UsageError, did_you_mean

_BASH = """_gd() {
    local IFS=$'\\n'
    COMPREPLY=($(gd completion words -- "$COMP_CWORD" "${COMP_WORDS[@]}" 2>/dev/null))
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -o default -F _gd gd
"""
_ZSH = """#compdef gd
_gd() {
    local -a found
    found=(${(f)"$(gd completion words -- $((CURRENT - 1)) "${words[@]}" 2>/dev/null)"})
    if (( ${#found} )); then compadd -a found; else _files; fi
}
compdef _gd gd
"""
_FISH = """function __gd_words
    set -l typed (commandline -opc)
    gd completion words -- (count $typed) $typed (commandline -ct) 2>/dev/null
end
complete -c gd -a '(__gd_words)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
# The largest file of problems that is read for the names in it, and of a table of which the first line is.
_MOST_TOML, _MOST_HEADER = 1 << 20, 1 << 16


def run(values: dict[str, Any]) -> int:
    """Print the script of a shell, or what can stand where the cursor is."""
    shell, words = values["shell"], values["words"]
    if shell == "words":
        place, typed = _place(words)
        sys.stdout.write("".join(f"{word}\n" for word in offered(typed, place)))
        return 0
    if shell not in SCRIPTS:
        hint = did_you_mean(shell, SCRIPTS, f"one of {', '.join(SCRIPTS)}")
        raise UsageError(f"there is no completion for '{shell[:40]}'", hint)
    if words:
        raise UsageError("one shell is expected", f"gd completion {shell}")
    sys.stdout.write(SCRIPTS[shell])
    return 0


def _place(words: Sequence[str]) -> tuple[int, list[str]]:
    number, *typed = words or ("0",)
    return (int(number) if number.isdecimal() else 0), typed


def offered(words: Sequence[str], place: int) -> list[str]:
    """Return what can stand in the ``place``-th of ``words`` (the first is ``gd``), as far as it is typed there.

    Nothing stands for a file, or for what only the person knows. bash cuts words at ``=``: such pieces are joined.
    """
    before, word, glued = _joined(words[1:place], words[place] if place < len(words) else "")
    if not before:
        return _beginning(word, [*COMMANDS, "--help", "--version"])
    command = COMMANDS.get(before[0])
    if command is None:
        return []
    known = {option.name: option for option in command.options}
    if word.startswith("--") and "=" in word:
        name, _, begun = word.partition("=")
        found = _values(known[name], begun, before[1:]) if name in known else []
        return found if glued else [f"{name}={value}" for value in found]
    previous = known.get(before[-1])
    if previous is not None and previous.metavar:
        return _values(previous, word, before[1:])
    if word.startswith("-"):
        return _beginning(word, [*known, "--help"])
    return _arguments(command, word, before[1:])


def _joined(before: Sequence[str], word: str) -> tuple[list[str], str, bool]:
    """Return the words with ``--name``, ``=``, ``value`` put together again, and if the last was such."""
    pieces = [*before, word]
    found: list[str] = []
    glued = False
    for piece in pieces:
        joins = found and found[-1].startswith("--") and (piece == "=" or found[-1].endswith("="))
        glued = bool(joins)
        if joins:
            found[-1] += piece
        else:
            found.append(piece)
    return found[:-1], found[-1], glued


def _beginning(word: str, candidates: Iterable[str]) -> list[str]:
    return [candidate for candidate in candidates if candidate.startswith(word)]


def _values(option: Option, begun: str, words: Sequence[str]) -> list[str]:
    """The values of an option that there is a list of; in a list with commas that of the last piece."""
    from gdcli.solvers.registry import METHODS, STEP_RULES

    known: dict[str, Iterable[str]] = {"--method": METHODS, "--step-rule": STEP_RULES}
    if option.metavar == "COLUMN" or option.name == "--by":
        candidates: Iterable[str] = _columns(words)
    else:
        candidates = getattr(option.read, "words", None) or known.get(option.name, ())
    head, comma, last = begun.rpartition(",")
    return [head + comma + candidate for candidate in _beginning(last, candidates)]


def _columns(words: Sequence[str]) -> list[str]:
    """The columns of the first table named, where its first line says them plainly."""
    for word in words:
        if word.endswith((".csv", ".tsv")):
            try:
                with open(word, encoding="utf-8-sig", errors="replace") as file:
                    line = file.readline(_MOST_HEADER)
            except (OSError, ValueError):
                continue
            return [name.strip().strip('"') for name in line.split("\t" if word.endswith(".tsv") else ",")]
    return []


def _arguments(command: Command, word: str, words: Sequence[str]) -> list[str]:
    if command.name == "completion":
        return _beginning(word, SCRIPTS)
    if command.name == "man":
        return _beginning(word, COMMANDS)
    given = [w for w in words if not w.startswith("-")]
    if command.name == "run" and given and given[0].endswith(".toml"):
        return _beginning(word, _names(given[0]))
    return []


def _names(path: str) -> list[str]:
    """The names of the problems of a file; nothing where it cannot be read."""
    import tomllib

    try:
        with open(path, "rb") as file:
            text = file.read(_MOST_TOML)
        return list(tomllib.loads(text.decode("utf-8")))
    except (OSError, ValueError):
        return []
