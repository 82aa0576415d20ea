"""How Go prints values inside error texts.

Stands for the value formatting of apimachinery's field.Error.ErrorBody (strings quoted, everything else `%v`-like or
JSON) and for `%v` of maps. Pure.
"""

from __future__ import annotations

from typing import Any

import orjson


class GoText(str):
    """Text that is printed as it is, without quotes: a value whose Go form the caller knows."""

    __slots__ = ()


def go_quote(text: str) -> str:
    """strconv.Quote: JSON's escapes, but for control characters and invalid code points."""
    out = []
    for ch in text:
        code = ord(ch)
        if ch in '"\\':
            out.append("\\" + ch)
        elif ch in _ESCAPES:
            out.append(_ESCAPES[ch])
        elif ch.isprintable():
            out.append(ch)
        elif code < 0x80:
            out.append(f"\\x{code:02x}")
        elif code < 0x10000:
            out.append(f"\\u{code:04x}")
        else:
            out.append(f"\\U{code:08x}")
    return '"' + "".join(out) + '"'


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


def go_value(value: Any) -> str:
    """A field error's bad value: strings quoted, nil as null, scalars plain, objects and lists as JSON."""
    if isinstance(value, GoText):
        return str(value)
    if isinstance(value, str):
        return go_quote(value)
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value) if isinstance(value, int) or not value.is_integer() else repr(int(value))
    return orjson.dumps(value).decode()


def go_map(value: Any) -> str:
    """`%v` of a decoded JSON value: `map[a:1 b:[x y]]`, keys sorted, strings bare, nil as <nil>."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{go_map(value[k])}" for k in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_map(x) for x in value) + "]"
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
