"""`gd completion`: what a shell offers while a command line is typed.

The script of each shell is short: it hands the words typed so far to ``gd completion words`` and offers the lines that
come back; where none come back it offers files. All that can be offered is read from the one table of commands and
options, so nothing here has to be kept up with it.

A single ``#`` comes back where only the person knows what to write: then not even files are offered.
"""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from gdcli.cli.commands import COMMANDS, Command, CompletionOptions
from gdcli.cli.environment import Environment
from gdcli.cli.option_types import Option, method_by_epochs
from gdcli.kernel.errors import GdError, UsageError, did_you_mean

_BASH = """_gd() {
    local IFS=$'\\n' i
    COMPREPLY=($(gd completion line -- "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null))
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == '#' ]]; then
        COMPREPLY=()
        compopt +o default
    elif [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=/] ]]; then
        compopt -o nospace
    fi
    for i in "${!COMPREPLY[@]}"; do
        [[ ${COMPREPLY[i]} == *[[:space:]]* ]] && printf -v 'COMPREPLY[i]' %q "${COMPREPLY[i]}"
    done
}
complete -o default -F _gd gd
"""
_ZSH = """#compdef gd
_gd() {
    local -a found
    found=(${(f)"$(gd completion words -- $((CURRENT - 1)) "${words[@]}" 2>/dev/null)"})
    if [[ ${#found} == 1 && ${found[1]} == '#' ]]; then
        return 1
    elif [[ ${#found} == 1 && ${found[1]} == *[=/] ]]; then
        compadd -S '' -a found
    elif (( ${#found} )); then
        compadd -a found
    else
        [[ $PREFIX == --*=* ]] && compset -P '*='
        _files
    fi
}
if [[ $funcstack[1] == _gd ]]; then
    _gd "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
    compdef _gd gd
fi
"""
_FISH = """function __gd_words
    set -l typed (commandline -opc)
    set -l word (commandline -ct)
    set -l found (gd completion words -- (count $typed) $typed "$word" 2>/dev/null)
    if test (count $found) -eq 0
        set -l option (string match -r -- '^--[^=]*=' "$word")
        for path in (__fish_complete_path (string replace -r -- '^--[^=]*=' '' "$word"))
            echo "$option$path"
        end
    else if test "$found" != '#'
        printf '%s\\n' $found
    end
end
complete -c gd -f -k -a '(__gd_words)'
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
# What tells a shell that nothing can be offered, not even files.
NOTHING = "#"
# The largest file of problems that is read for the names in it.
_MOST_TOML = 1 << 20
_MOST_FILES = 500


def run(options: CompletionOptions, env: Environment) -> int:
    """Print the script of a shell, or what can stand where the cursor is."""
    shell, words = options.shell, options.words
    if shell in ("words", "line"):
        found = _offered_at(*words) if shell == "words" else offered_in_bash(*words)
        env.stdout.write("".join(f"{word}\n" for word in found))
        return 0
    if shell not in SCRIPTS:
        hint = did_you_mean(shell, SCRIPTS, f"one of {', '.join(SCRIPTS)}")
        raise UsageError(f"there is no completion for '{shell[:40]}'", hint)
    if words:
        raise UsageError("one shell is expected", f"gd completion {shell}")
    env.stdout.write(SCRIPTS[shell])
    return 0


def _offered_at(place: str = "0", *words: str) -> list[str]:
    return offered(words, int(place)) if place.isdecimal() and words else []


def offered(words: Sequence[str], place: int) -> list[str]:
    """Return what can stand in the ``place``-th of ``words`` (the first is ``gd``), as far as it is typed there.

    Where a file can stand it is empty, and where only the person knows, `NOTHING`.
    """
    before, word = [_plain(w) for w in words[1:place]], words[place] if place < len(words) else ""
    if not before:
        return _beginning(word, [*COMMANDS, "--help", "--version"])
    command = COMMANDS.get(before[0])
    if command is None:
        return []
    known = {option.name: option for option in command.options}
    typed = _positionals(before[1:], known)
    if word.startswith("--") and "=" in word:
        name, _, begun = word.partition("=")
        found = _values(known[name], begun, typed) if name in known else []
        return found if found == [NOTHING] else [f"{name}={value}" for value in found]
    previous = known.get(before[-1])
    if previous is not None and previous.metavar:
        return _values(previous, word, typed)
    if word.startswith("-"):
        return _beginning(word, [*known, "--help"])
    return _arguments(command, word, typed)


def _plain(word: str) -> str:
    """A word without the quotes that a shell takes away; as it is where they are not closed."""
    try:
        parts = shlex.split(word)
    except ValueError:
        return word
    return parts[0] if len(parts) == 1 else word


def _positionals(words: Sequence[str], known: Mapping[str, Option[Any]]) -> list[str]:
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            found.append(word)
        elif word in known and known[word].metavar:
            next(rest, None)
    return found


def offered_in_bash(line: str = "", breaks: str = "") -> list[str]:
    """Return what can stand at the end of a line, without what bash takes for words of their own before that.

    ``breaks`` are the characters that part words for bash, which then has only the last part completed.
    """
    words = _split(line)
    found = offered(words, len(words) - 1)
    # A host's name begins with its @, all else after the character that parts it from what is before.
    cut = max(words[-1].rfind(c) + (c != "@") for c in breaks or " ")
    return found if found == [NOTHING] else [word[max(0, cut) :] for word in found]


def _split(line: str) -> list[str]:
    """The words of a line that is still typed: a quote may be open, and the last word is empty after a space."""
    for quote in ("", "'", '"'):
        with suppress(ValueError):
            words = shlex.split(line + quote)
            break
    else:
        words = line.split()
    return words if words and not line[-1:].isspace() else [*words, ""]


def _beginning(word: str, candidates: Iterable[str]) -> list[str]:
    return [candidate for candidate in candidates if candidate.startswith(word)]


def _values(option: Option[Any], begun: str, typed: Sequence[str]) -> list[str]:
    """The values of an option that there is a list of; in a list with commas that of the last piece."""
    if begun.startswith("@"):
        return _files(begun)
    if "FILE" in option.metavar or "FOLDER" in option.metavar:
        return []
    patterns = option.name == "--columns"
    at = max(begun.rfind(separator) for separator in ("=|" if patterns else ","))
    head, cut, last = (begun[:at], begun[at], begun[at + 1 :]) if at >= 0 else ("", "", begun)
    if patterns and not cut:
        return [NOTHING]  # a name of one's own
    if patterns or "COLUMN" in option.metavar or option.metavar == "EXPR":
        candidates: Iterable[str] = _columns(typed)
    else:
        candidates = _listed(option)
    return [head + cut + candidate for candidate in _beginning(last, candidates)] or [NOTHING]


def _listed(option: Option[Any]) -> Iterable[str]:
    """Return the words that an option may have, where there is a list of them."""
    from gdcli.solve.methods.descent import STEP_RULES
    from gdcli.solve.registry import BY_EPOCHS, METHODS

    if option.read is method_by_epochs:
        return BY_EPOCHS
    known: dict[str, Iterable[str]] = {"--method": METHODS, "--step-rule": STEP_RULES}
    words: Iterable[str] | None = getattr(option.read, "words", None)
    return words or known.get(option.name, ())


def _files(begun: str) -> list[str]:
    found = sorted(glob.glob(glob.escape(begun[1:]) + "*"))[:_MOST_FILES]
    return [f"@{path}/" if os.path.isdir(path) else f"@{path}" for path in found] or [NOTHING]


def _columns(typed: Sequence[str]) -> list[str]:
    """The columns of the data named after a model, by the names that a model has for them."""
    from gdcli.table.source import open_table

    for path in typed[1:]:
        if os.path.isfile(path):
            try:
                with open_table([path]) as table:
                    return [name for name in table.names if name]
            except (GdError, OSError):
                continue
    return []


def _choices(command: str) -> Iterable[str]:
    """What the arguments of a command are chosen from; nothing for one that has other arguments."""
    if command == "completion":
        return SCRIPTS
    if command == "methods":
        from gdcli.solve.registry import METHODS

        return METHODS
    if command == "functions":
        from gdcli.language.listing import functions

        return [row["name"] for row in functions()]
    if command not in ("help", "man"):
        return ()
    from gdcli.cli.reference_commands import texts

    return [*COMMANDS, *(texts() if command == "man" else ())]


def _arguments(command: Command, word: str, typed: Sequence[str]) -> list[str]:
    if choices := _choices(command.name):
        return _beginning(word, choices) or [NOTHING]
    if command.name == "run" and typed:
        return _beginning(word, _names(typed[0])) or [NOTHING]
    if not command.arguments or (len(typed) >= len(command.arguments) and not command.arguments[-1].many):
        return [NOTHING]
    if word.startswith("@") and command.arguments[0].field == "expression" and not typed:
        return _files(word)
    return []


def _names(path: str) -> list[str]:
    """The names of the problems of a file; nothing where it cannot be read, or is a stream."""
    import tomllib

    if not path.endswith(".toml"):
        return []
    try:
        with open(path, "rb") as file:
            text = file.read(_MOST_TOML)
        return list(tomllib.loads(text.decode("utf-8")))
    except (OSError, ValueError):
        return []
