"""Reading JSON and YAML bodies, with Go's words for what is wrong with them.

Stands for encoding/json's scanner (sigs.k8s.io/json keeps its messages) and sigs.k8s.io/yaml. Good JSON takes the fast
way through orjson; the scanner here runs only over text that orjson refused, to name the error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import orjson
import yaml

from fakeapi.gofmt import go_quote
from fakeapi.schema.duplicates import has_duplicates, readable

_SPACE = " \t\r\n"
_DIGITS = frozenset("0123456789")

# Go reads 10,000 levels; orjson writes 254, and what is read here ends up inside of other objects.
MAX_DEPTH = 128
# YAML without a line that starts further in, nor so many brackets, cannot be nested deeper than MAX_DEPTH.
MAX_INDENT = MAX_DEPTH // 2
# So many nodes a YAML document may have by repeating what anchors name (go-yaml looks closer from here on).
MAX_ALIASED = 400_000


class JsonError(ValueError):
    """The text is no JSON (or YAML); the message is Go's."""


def parse(data: bytes) -> Any:
    """The value that the bytes hold. JsonError with encoding/json's message."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        text = readable(data)
        _Scanner(text).check()
        value = json.loads(text, strict=False, parse_int=_integer, parse_float=_number)
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        check_depth(value)
    return value


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise JsonError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return number


def _integer(text: str) -> float:
    """As orjson does: what does not fit 64 bits is a float."""
    if len(text) < 22 and -(2**63) <= int(text) < 2**64:
        return int(text)
    return _number(text)


def check_depth(value: Any) -> None:
    """JsonError for a value with more than MAX_DEPTH objects and lists in each other."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return
        below = (child for item in level for child in (item.values() if isinstance(item, dict) else item))
        level = [child for child in below if isinstance(child, (dict, list))]
    raise JsonError("exceeded max depth")


def kind_of(value: Any) -> str:
    """What encoding/json calls a value in `cannot unmarshal <kind> into ...`."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    return "array" if isinstance(value, list) else "object"


class _Scanner:
    """Walks the text as encoding/json's state machine does and raises at the first thing it would not accept."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def check(self) -> None:
        self.value()
        self.space()
        if self.at < len(self.text):
            self.fail("after top-level value")

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _SPACE:
            self.at += 1

    def peek(self) -> str:
        if self.at >= len(self.text):
            raise JsonError("unexpected end of JSON input")
        return self.text[self.at]

    def fail(self, context: str) -> None:
        char = self.peek()
        if not char.isascii():
            # Go's scanner goes by bytes.
            char = chr(char.encode("utf-8", "surrogateescape")[0])
        shown = {"'": "'\\''", '"': "'\"'"}.get(char) or f"'{go_quote(char)[1:-1]}'"
        raise JsonError(f"invalid character {shown} {context}")

    def value(self) -> None:
        self.space()
        char = self.peek()
        if char == "{":
            self.collection("}", self.member, "after object key:value pair")
        elif char == "[":
            self.collection("]", self.value, "after array element")
        elif char == '"':
            self.string()
        elif char == "-" or char in _DIGITS:
            self.number()
        elif char in "tfn":
            self.literal({"t": "true", "f": "false", "n": "null"}[char])
        else:
            self.fail("looking for beginning of value")

    def collection(self, end: str, item: Any, context: str) -> None:
        self.at += 1
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise JsonError("exceeded max depth")
        self.space()
        if self.peek() == end:
            self.depth -= 1
            self.at += 1
            return
        while True:
            item()
            self.space()
            char = self.peek()
            if char == end:
                self.depth -= 1
                self.at += 1
                return
            if char != ",":
                self.fail(context)
            self.at += 1

    def member(self) -> None:
        self.space()
        if self.peek() != '"':
            self.fail("looking for beginning of object key string")
        self.string()
        self.space()
        if self.peek() != ":":
            self.fail("after object key")
        self.at += 1
        self.value()

    def string(self) -> None:
        self.at += 1
        while (char := self.peek()) != '"':
            if char == "\\":
                self.escape()
            elif char < " ":
                self.fail("in string literal")
            else:
                self.at += 1
        self.at += 1

    def escape(self) -> None:
        self.at += 1
        char = self.peek()
        if char not in 'bfnrt\\/"u':
            self.fail("in string escape code")
        self.at += 1
        if char == "u":
            for _ in range(4):
                if self.peek() not in "0123456789abcdefABCDEF":
                    self.fail("in \\u hexadecimal character escape")
                self.at += 1

    def number(self) -> None:
        if self.peek() == "-":
            self.at += 1
            if self.peek() not in _DIGITS:
                self.fail("in numeric literal")
        if self.peek() == "0":
            self.at += 1
        else:
            self.digits()
        if self.text[self.at : self.at + 1] == ".":
            self.at += 1
            if self.peek() not in _DIGITS:
                self.fail("after decimal point in numeric literal")
            self.digits()
        if self.text[self.at : self.at + 1] in ("e", "E"):
            self.at += 1
            if self.peek() in "+-":
                self.at += 1
            if self.peek() not in _DIGITS:
                self.fail("in exponent of numeric literal")
            self.digits()

    def digits(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _DIGITS:
            self.at += 1

    def literal(self, word: str) -> None:
        for expected in word:
            if self.peek() != expected:
                self.fail(f"in literal {word} (expecting '{expected}')")
            self.at += 1


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML with JSON's types only: dates stay text, as sigs.k8s.io/yaml reads them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


# Longer ones are in no number's range, and stay text.
_MOST_DIGITS = 309


def _yaml_integer(loader: Any, node: Any) -> Any:
    text = loader.construct_scalar(node)
    return text if len(text) > _MOST_DIGITS else loader.construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _yaml_integer)


def parse_yaml(data: bytes) -> Any:
    """The first YAML document as JSON would have it: keys are strings. JsonError with go-yaml's message."""
    value = _as_json(data)
    if value is not None:
        check_depth(value)
        return value
    try:
        if data.count(b"[") + data.count(b"{") > MAX_INDENT or any(map(_is_far_in, data.splitlines())):
            _check_nesting(data)
        if b"*" in data:
            _check_aliases(next(iter(yaml.compose_all(data, Loader=_Loader)), None), max(MAX_ALIASED, len(data)))
        value = next(iter(yaml.load_all(data, Loader=_Loader)), None)
    except yaml.YAMLError as error:
        raise JsonError(_yaml_message(error)) from error
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise error if isinstance(error, JsonError) else JsonError(f"yaml: {error}") from error
    check_depth(value)
    return _stringly(value)


def _is_far_in(line: bytes) -> bool:
    return len(line) > MAX_INDENT and len(line) - len(line.lstrip(b" -?")) > MAX_INDENT


def _check_nesting(data: bytes) -> None:
    """JsonError for more than MAX_DEPTH levels, on which libyaml's composer would run out of stack."""
    depth = 0
    for event in yaml.parse(data, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise JsonError("yaml: exceeded max depth")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_aliases(document: Any, limit: int) -> None:
    """JsonError for a document that grows beyond limit nodes when its aliases are written out, or without end."""
    sizes: dict[int, int] = {}

    def size(node: Any) -> int:
        known = sizes.get(id(node))
        if known is not None:
            if known < 0:
                raise JsonError("yaml: anchor value contains itself")
            return known
        sizes[id(node)] = -1
        total = 1
        if isinstance(node, yaml.MappingNode):
            total += sum(size(key) + size(value) for key, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            total += sum(map(size, node.value))
        if total > limit:
            raise JsonError("yaml: document contains excessive aliasing")
        sizes[id(node)] = total
        return total

    size(document)


def _as_json(data: bytes) -> Any:
    """What many clients send as YAML is JSON, which is read a hundred times faster; None for anything else."""
    if data[:1] != b"{":
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _yaml_message(error: yaml.YAMLError) -> str:
    """go-yaml's wording: marks count from zero, a scanner's error is told one line further down, line 0 is not told."""
    marks = (getattr(error, "context_mark", None), getattr(error, "problem_mark", None))
    line = next((mark.line for mark in marks if mark is not None and mark.line), 0)
    if line and isinstance(error, yaml.scanner.ScannerError):
        line += 1
    problem = getattr(error, "problem", None) or str(error)
    return f"yaml: line {line}: {problem}" if line else f"yaml: {problem}"


def yaml_duplicates(data: bytes) -> list[str]:
    """Keys that a mapping of the first document has twice: `line 5: key "data" already set in map`."""
    found: list[str] = []
    done: set[int] = set()
    value = _as_json(data)
    if value is not None and not has_duplicates(data, value):
        return found

    def walk(node: Any) -> None:
        if id(node) in done:
            return
        done.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for item in node.value:
                walk(item)
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    found.append(f"line {key.start_mark.line + 1}: key {go_quote(str(key.value))} already set in map")
                seen.add(key.value)
                walk(value)

    walk(next(iter(yaml.compose_all(data, Loader=_Loader)), None))
    return found


def unmarshal_errors(found: Sequence[str]) -> str:
    """go-yaml's TypeError."""
    return "\n  ".join(["yaml: unmarshal errors:", *found])


def _stringly(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(k): _stringly(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_stringly(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return _integer(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise JsonError(f"json: unsupported value: {'NaN' if math.isnan(value) else '+Inf' if value > 0 else '-Inf'}")
    return value if value is None or isinstance(value, (str, float, bool)) else str(value)


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return key if isinstance(key, str) else str(key)
