"""Other ways to write start values, constants and bounds: what a text that cannot be read was probably meant to be.

Each row of a table is a pattern and what stands in its place; the rows are applied one after the other, and the outcome
is proposed only where it can be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from gdcli.kernel.errors import UsageError

Rules = Sequence[tuple[str, str]]

# Longer texts are written by programs.
MAX_TEXT = 500
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"

VALUES: Rules = (
    (r"[\"'`“”‘’]", ""),
    (r"^\s*(?:dict)?\s*\{(.*)\}\s*$", r"\1"),
    (r"^\s*dict\s*\((.*)\)\s*$", r"\1"),
    (r"\b(?:np|numpy)\.", ""),
    (r"\b(?:array|list|tuple|vector)\s*\(\s*([\[(].*?[\])])\s*\)", r"\1"),
    (r"\brandn?\(", "random("),
    (r"\[\s*([^\[\],]+?)\s*\]\s*\*\s*(\w+)", r"full(\2,\1)"),
    (r"^\s*\(([^()]*,[^()]*)\)\s*$", r"\1"),
    (r"=\s*[({]([^(){}]*,[^(){}]*?),?\s*[)}]", r"=[\1]"),
    (r"(\w)\s*(?::=|==|:|->|=>|→|≔)\s*", r"\1="),
    (r"=\s*[({]([^(){}]*,[^(){}]*?),?\s*[)}]", r"=[\1]"),
    (r"(^|[,;\s])([^\W\d]\w*)\s+(?=[-+.\d\[])", r"\1\2="),
    (r"\s*[;&]\s*|\s+and\s+", ","),
    (r"(?<=[\w.\])])\s+(?=[^\W\d]\w*\s*=)", ","),
    (r"(?<=[\d.])\s+(?=[-+.\d])", ","),
    (r",\s*$", ""),
)
BOUNDS: Rules = (
    (r"[\"'`“”‘’{}]", ""),
    (r"≤", "<="),
    (r"≥", ">="),
    (r"=([<>])", r"\1="),
    (r"\bNone\b", ""),
    (r"\s*(?:∈|\b(?:in|from|between)\b)\s*", "="),
    (r"(\w\]?)\s*>=?\s*([^<>=,;]+?)\s*(?:,|;|&+|\band\b)\s*\1\s*<=?\s*([^<>=,;]+)", r"\1=\2:\3"),
    (r"\s+and\s+(?=[^=:<>]*$)", ":"),
    (r"(\w)\s*:\s*(?=[\[(])", r"\1="),
    (r"(\w\]?)\s*=\s*[\[(]([^,\[\]()]*)[,;:]([^,\[\]()]*)[\])]", r"\1=\2:\3"),
    (r"(?<![<>\w])([^<>=,;]+?)\s*<=?\s*(\w+(?:\[-?\d+\])?)\s*<=?\s*([^<>=,;]+)", r"\2=\1:\3"),
    (r"(?<![<>\w])([^<>=,;]+?)\s*>=?\s*(\w+(?:\[-?\d+\])?)\s*>=?\s*([^<>=,;]+)", r"\2=\3:\1"),
    (rf"({NUMBER})\s*<=?\s*([^\W\d]\w*(?:\[-?\d+\])?)", r"\2=\1:"),
    (rf"({NUMBER})\s*>=?\s*([^\W\d]\w*(?:\[-?\d+\])?)", r"\2=:\1"),
    (r"(\w\]?)\s*>=?\s*([^<>=,;]+)", r"\1=\2:"),
    (r"(\w\]?)\s*<=?\s*([^<>=,;]+)", r"\1=:\2"),
    (r"\s*(?:\.\.+|…|\bto\b)\s*", ":"),
    (rf"=\s*({NUMBER})\s*[-–—−]\s*({NUMBER}|inf)(?=\s*(?:[,;]|$))", r"=\1:\2"),
    (rf"^\s*([^\W\d]\w*)\s*:\s*({NUMBER})\s*[,;]\s*({NUMBER})\s*$", r"\1=\2:\3"),
    (r"(^|[,;])\s*([^\W\d]\w*)\s*[:\s]\s*(?=[^=]*:)", r"\1\2="),
    (r"(\w)\s+(?=\w+=)", r"\1,"),
    (rf"=\s*({NUMBER})\s*[,;\s]\s*({NUMBER})(?=\s*(?:[,;]\s*[^\W\d]|$))", r"=\1:\2"),
    (rf"^\s*([^\W\d]\w*)[\s,]+({NUMBER})[\s,]+({NUMBER})\s*$", r"\1=\2:\3"),
    (r"\s*;\s*", ","),
    (r",\s*$", ""),
)


def proposed(
    error: UsageError, text: str, option: str, rules: Rules, read: Callable[[str], Any]
) -> UsageError:
    """Return the error with what ``text``, the value of ``option``, was meant to be as its hint, where that is known.

    ``read`` raises UsageError for a text that cannot be read.
    """
    if len(text) > MAX_TEXT:
        return error
    meant = text
    for pattern, instead in rules:
        meant = re.sub(pattern, instead, meant)
    meant = re.sub(r"\s*([=:,])\s*", r"\1", meant).strip()
    try:
        if meant != text:
            read(meant)
            error.hint = f"write {option} {quoted(meant)}"
    except UsageError:
        pass
    return error


def decimal(text: str, option: str) -> str:
    """Return the hint for values of which some have no name, such as ``x=1,5``."""
    meant = re.sub(r"=\s*([-+]?\d+),(\d+)(?=\s*,\s*[^\W\d]|\s*$)", r"=\1.\2", text)
    if meant == text or len(text) > MAX_TEXT:
        return f"for example {option} x=1,y=2"
    vector = re.sub(r"=\s*([-+]?\d+,\d+)(?=\s*,\s*[^\W\d]|\s*$)", r"=[\1]", text)
    return f"write {option} {quoted(meant)} for a decimal point, {quoted(vector)} for a vector"


def quoted(text: str) -> str:
    """Return a word as a shell takes it whole."""
    return text if re.fullmatch(r"[-\w=:.,+/@%]+", text) else f"'{text}'"
