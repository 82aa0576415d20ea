"""A shell's command language as far as tests of clusters write it: words, quotes, variables, pipes, redirections.

Pure: parse() makes a list of pipelines, expand() turns a word into text. Leaves out control structures, substitution
and globs; a line that needs them is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct, field

OPERATORS = ("&&", "||", ">>", "2>&1", "1>&2", ">&2", "2>>", "2>", "1>", "&", "|", ";", ">", "<", "\n")
JOINTS = ("&&", "||", ";", "\n")
_OPERATOR = re.compile("|".join(map(re.escape, sorted(OPERATORS, key=len, reverse=True))))
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*|[?$#@*0-9])(?::?-([^}]*))?\}|([A-Za-z_]\w*|[?$#0-9]))")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
UNSUPPORTED = frozenset(("if", "for", "while", "until", "case", "function", "{", "(", "[["))

# A word is pieces of text, each with whether variables are expanded in it.
Word = list[tuple[str, bool]]


class NotUnderstood(ValueError):
    """More than this shell can do."""


class Simple(Struct):
    """One command: assignments before it, its words, where its output and input go."""

    words: list[Word] = field(default_factory=list)
    output: tuple[Word, bool] | None = None  # file, append
    errors: tuple[Word, bool] | None = None
    input: Word | None = None
    errors_to_output: bool = False
    output_to_errors: bool = False


class Pipeline(Struct):
    """Commands joined by |, and what joins the pipeline to the one before: `;`, `&&` or `||`."""

    joint: str
    commands: list[Simple]


def split(text: str) -> list[Word | str]:
    """Words (lists) and operators (strings). NotUnderstood for what does not end."""
    found: list[Word | str] = []
    word: Word | None = None
    at, end = 0, len(text)
    while at < end:
        char = text[at]
        operator = _OPERATOR.match(text, at)
        if operator and not (operator[0][0].isdigit() and word is not None):
            found, word = _ended(found, word), None
            found.append(operator[0])
            at = operator.end()
        elif char in " \t\r":
            found, word, at = _ended(found, word), None, at + 1
        elif char == "#" and word is None:
            at = (text.find("\n", at) + end + 1) % (end + 1) if "\n" in text[at:] else end
        else:
            word = [] if word is None else word
            at = _piece(text, at, word)
    return _ended(found, word)


def _ended(found: list[Word | str], word: Word | None) -> list[Word | str]:
    return found if word is None else [*found, word]


def _piece(text: str, at: int, word: Word) -> int:
    char = text[at]
    if char == "'":
        close = text.find("'", at + 1)
        if close < 0:
            raise NotUnderstood("unterminated quoted string")
        word.append((text[at + 1 : close], False))
        return close + 1
    if char == '"':
        return _quoted(text, at + 1, word)
    if char == "\\":
        if text[at + 1 : at + 2] != "\n":
            word.append((text[at + 1 : at + 2], False))
        return at + 2
    if char == "`" or text.startswith("$(", at) or char in "()":
        raise NotUnderstood(f'syntax error: unexpected "{char}"')
    stop = at + 1
    while stop < len(text) and text[stop] not in " \t\r\n'\"\\`;&|<>()" and not text.startswith("$(", stop):
        stop += 1
    word.append((text[at:stop], True))
    return stop


def _quoted(text: str, at: int, word: Word) -> int:
    plain = ""
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\", "$", "`"):
            word += [(plain, True), (text[at + 1], False)]
            plain, at = "", at + 2
        elif text.startswith("$(", at) or text[at] == "`":
            raise NotUnderstood("command substitution")
        else:
            plain, at = plain + text[at], at + 1
    if at >= len(text):
        raise NotUnderstood("unterminated quoted string")
    word.append((plain, True))
    return at + 1


def parse(text: str) -> list[Pipeline]:
    """What to do one after the other. NotUnderstood."""
    found = [Pipeline(";", [Simple()])]
    tokens = iter(split(text))
    for token in tokens:
        command = found[-1].commands[-1]
        if isinstance(token, list):
            if not command.words and "".join(t for t, _ in token) in UNSUPPORTED:
                raise NotUnderstood(f"syntax error: {token[0][0]} is more than this shell knows")
            command.words.append(token)
        elif token in JOINTS:
            found.append(Pipeline(";" if token == "\n" else token, [Simple()]))
        elif token == "|":
            found[-1].commands.append(Simple())
        elif token == "2>&1":
            command.errors_to_output = True
        elif token in ("1>&2", ">&2"):
            command.output_to_errors = True
        elif token == "&":
            raise NotUnderstood("background commands")
        else:
            _redirect(command, token, next(tokens, None))
    return [p for p in found if any(c.words or c.output for c in p.commands)]


def _redirect(command: Simple, operator: str, target: Word | str | None) -> None:
    if not isinstance(target, list):
        raise NotUnderstood("syntax error: unexpected redirection")
    if operator == "<":
        command.input = target
    elif operator.startswith("2"):
        command.errors = (target, operator == "2>>")
    else:
        command.output = (target, operator == ">>")


def expand(word: Word, variables: Mapping[str, str]) -> str:
    """The word's text."""

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1] or match[3]) or match[2] or ""

    return "".join(_VARIABLE.sub(value, text) if expanded else text for text, expanded in word)


def assignment(text: str) -> tuple[str, str] | None:
    """(name, value) of `NAME=value`."""
    match = _ASSIGNMENT.fullmatch(text)
    return (match[1], match[2]) if match else None
