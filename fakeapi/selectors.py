"""Label and field selectors: what a query's labelSelector and fieldSelector, or an object's LabelSelector, match.

Stands for apimachinery's pkg/labels, pkg/fields and meta/v1's LabelSelectorAsSelector and FormatLabelSelector, with
their grammar and error texts. Pure; fakenodes uses it too.

Leaves out: RequiresExactMatch for more than fields, and selectors on anything but strings.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec import Struct

from fakeapi.errors import FieldError, invalid
from fakeapi.names import is_label_value, is_qualified_name
from fakeapi.patterns import lazy


class SelectorError(ValueError):
    """A selector that cannot be parsed; str() is upstream's text (the answer is a 400 with it)."""


class Requirement(Struct, frozen=True):
    """One condition on one label. operator: one of `= == != in notin exists ! gt lt`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fulfil the condition. An absent label fulfils `!=` and `notin`."""
        value = labels.get(self.key)
        if self.operator == "=":  # by far the most
            return value is not None and value in self.values
        match self.operator:
            case "==" | "in":
                return value is not None and value in self.values
            case "!=" | "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        number = _int64(value or "")
        bound = _int64(self.values[0])
        if number is None or bound is None:
            return False
        return number > bound if self.operator == "gt" else number < bound

    def __str__(self) -> str:
        if self.operator in ("exists", "!"):
            return ("!" if self.operator == "!" else "") + self.key
        values = ",".join(sorted(self.values))
        if self.operator in ("in", "notin"):
            return f"{self.key} {self.operator} ({values})"
        return self.key + {"gt": ">", "lt": "<"}.get(self.operator, self.operator) + values


class LabelSelector(Struct, frozen=True):
    """All requirements together, sorted by key. `never`: matches nothing (an absent metav1.LabelSelector)."""

    requirements: tuple[Requirement, ...] = ()
    never: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return not self.never and all(r.matches(labels) for r in self.requirements)

    @property
    def empty(self) -> bool:
        """Selects everything."""
        return not self.requirements and not self.never

    def __str__(self) -> str:
        return ",".join(str(r) for r in self.requirements)


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(never=True)


class FieldTerm(Struct, frozen=True):
    """`field=value`, or with equal False `field!=value`."""

    field: str
    value: str
    equal: bool = True

    def __str__(self) -> str:
        value = re.sub(r"([\\,=])", r"\\\1", self.value)
        return f"{self.field}{'=' if self.equal else '!='}{value}"


class FieldSelector(Struct, frozen=True):
    """All terms together; a field that an object does not have counts as ""."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether an object with these fields is selected."""
        return all((fields.get(t.field, "") == t.value) is t.equal for t in self.terms)

    def exact(self, field: str) -> str | None:
        """The one value that field must have (for indexes), None when the selector does not say."""
        return next((t.value for t in self.terms if t.equal and t.field == field), None)

    @property
    def empty(self) -> bool:
        """Selects everything."""
        return not self.terms

    def __str__(self) -> str:
        return ",".join(str(t) for t in self.terms)


NO_FIELDS = FieldSelector()


def parse_labels(text: str) -> LabelSelector:
    """A query's labelSelector. Raises SelectorError."""
    if not text:
        return EVERYTHING
    return LabelSelector(_sorted(_Parser(text).parse()))


def from_label_selector(selector: Mapping[str, Any] | None) -> LabelSelector:
    """A metav1.LabelSelector as a matcher: None selects nothing, an empty one everything. Raises SelectorError."""
    if selector is None:
        return NOTHING
    found = [_requirement(k, "=", (v,)) for k, v in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or ():
        operator = _OBJECT_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(f'"{expression.get("operator", "")}" is not a valid label selector operator')
        found.append(_requirement(expression.get("key", ""), operator, tuple(expression.get("values") or ())))
    return LabelSelector(_sorted(found))


def from_map(labels: Mapping[str, str] | None) -> LabelSelector:
    """A plain map (a Service's or ReplicationController's selector): every pair must be there."""
    return LabelSelector(_sorted([Requirement(k, "=", (v,)) for k, v in (labels or {}).items()]))


def format_label_selector(selector: Mapping[str, Any] | None) -> str:
    """A metav1.LabelSelector as Table cells show it: `a=b,c in (d,e)`, `<none>`, `<error>`."""
    try:
        return str(from_label_selector(selector)) or "<none>"
    except SelectorError:
        return "<error>"


def parse_fields(text: str) -> FieldSelector:
    """A query's fieldSelector; whether the kind has these fields is check_fields' question. Raises SelectorError."""
    terms = []
    for part in sorted(re.findall(r"((?:\\.|[^,\\]|\\$)+)", text, re.DOTALL)):
        found = re.search(r"!=|==|=", part)
        if found is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        value = _unescape(part[found.end() :])
        terms.append(FieldTerm(part[: found.start()], value, found.group() != "!="))
    return FieldSelector(tuple(terms))


def check_fields(selector: FieldSelector, supported: Collection[str], refusal: str) -> None:
    """Refuse a selector on fields that the kind cannot be selected by. supported: every one that it can, metadata's
    among them; refusal: the text for others (see refusal_text). Raises SelectorError."""
    for term in selector.terms:
        if term.field not in supported:
            raise SelectorError(refusal.format(term.field))


def selectable(group: str, kind: str, own: Collection[str]) -> set[str]:
    """The fields that a kind can be selected by; own: those beyond name and namespace."""
    found = {"metadata.name", "metadata.namespace", *own}
    return found - {"metadata.namespace"} if (group, kind) in _NO_NAMESPACE else found


def refusal_text(group: str, kind: str, own: bool) -> str:
    """What a kind says of a field it cannot be selected by, with {} for the field. own: it registers its own list of
    fields (built-in kinds with more than name and namespace, and every custom resource)."""
    return _REFUSALS.get((group, kind), _OWN_REFUSAL if own else _REFUSAL)


_REFUSAL = '"{}" is not a known field selector: only "metadata.name", "metadata.namespace"'
_OWN_REFUSAL = "field label not supported: {}"
_REFUSALS = {
    ("batch", "Job"): 'field label "{}" not supported for Job',
    ("resource.k8s.io", "ResourceSlice"): "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {}",
}
# Cluster-scoped kinds that register their own fields leave this one out.
_NO_NAMESPACE = frozenset(
    (
        ("", "Namespace"),
        ("", "Node"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("resource.k8s.io", "ResourceSlice"),
    )
)


def _unescape(text: str) -> str:
    out = []
    chars = iter(text)
    for ch in chars:
        if ch in ",=":
            # %v of a rune is its number.
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(ch)}")
        if ch == "\\":
            ch = next(chars, "")
            if ch == "" or ch not in "\\,=":
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{ch}")
        out.append(ch)
    return "".join(out)


_OBJECT_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_BINARY = {"in": "in", "=": "=", "==": "==", ">": "gt", "<": "lt", "notin": "notin", "!=": "!="}
_EXPECTED = "in, notin, =, ==, !=, gt, lt"
_TOKEN = lazy(r"[ \t\r\n]*(==|=|!=|[!(),<>]|[^=!(),<> \t\r\n]+)")
_SPECIAL = frozenset(("", "==", "=", "!=", "!", "(", ")", ",", "<", ">"))
_ARITY = {
    "in": (1, None, "for 'in', 'notin' operators, values set can't be empty"),
    "notin": (1, None, "for 'in', 'notin' operators, values set can't be empty"),
    "=": (1, 1, "exact-match compatibility requires one single value"),
    "==": (1, 1, "exact-match compatibility requires one single value"),
    "!=": (1, 1, "exact-match compatibility requires one single value"),
    "exists": (0, 0, "values set must be empty for exists and does not exist"),
    "!": (0, 0, "values set must be empty for exists and does not exist"),
    "gt": (1, 1, "for 'Gt', 'Lt' operators, exactly one value is required"),
    "lt": (1, 1, "for 'Gt', 'Lt' operators, exactly one value is required"),
}


def _sorted(requirements: Sequence[Requirement]) -> tuple[Requirement, ...]:
    return tuple(sorted(requirements, key=lambda r: r.key))


def _int64(text: str) -> int | None:
    """strconv.ParseInt(text, 10, 64)."""
    if not re.fullmatch(r"[+-]?[0-9]{1,99}", text):
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def _requirement(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    """labels.NewRequirement: checked key, operator and values."""
    found = [invalid("key", key, "; ".join(texts))] if (texts := is_qualified_name(key)) else []
    least, most, text = _ARITY[operator]
    if len(values) < least or (most is not None and len(values) > most):
        found.append(invalid("values", list(values) or None, text))
    if operator in ("gt", "lt"):
        detail = "for 'Gt', 'Lt' operators, the value must be an integer"
        found += [invalid(f"values[{i}]", v, detail) for i, v in enumerate(values) if _int64(v) is None]
    for i, value in enumerate(values):
        if texts := is_label_value(value):
            found.append(invalid(f"values[{i}][{key}]", value, "; ".join(texts)))
    if found:
        raise SelectorError(_joined(found))
    return Requirement(key, operator, values)


def _joined(found: Sequence[FieldError]) -> str:
    texts = list(dict.fromkeys(str(e) for e in found))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


class _Parser:
    """labels.Parser: recursive descent over the tokens; "" is the end of the text."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = [*_TOKEN.findall(text), ""]
        self._at = 0

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        while True:
            token = self._peek()
            if token == "":
                return found
            if not self._is_identifier(token) and token != "!":
                raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._one())
            except SelectorError as e:
                raise SelectorError(f"unable to parse requirement: {e}") from None
            token = self._next()
            if token == "":
                return found
            if token != ",":
                raise SelectorError(f"found '{token}', expected: ',' or 'end of string'")
            token = self._peek()
            if not self._is_identifier(token) and token != "!":
                raise SelectorError(f"found '{token}', expected: identifier after ','")

    def _peek(self) -> str:
        return self._tokens[self._at]

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    @staticmethod
    def _is_identifier(token: str) -> bool:
        return token not in _SPECIAL

    def _one(self) -> Requirement:
        key = self._next()
        absent = key == "!"
        if absent:
            key = self._next()
        if not self._is_identifier(key):
            raise SelectorError(f"found '{key}', expected: identifier")
        if texts := is_qualified_name(key):
            raise SelectorError(str(invalid("<nil>", key, "; ".join(texts))))
        if absent or self._peek() in ("", ","):
            return Requirement(key, "!" if absent else "exists")
        token = self._next()
        operator = _BINARY.get(token)
        if operator is None:
            raise SelectorError(f"found '{token}', expected: {_EXPECTED}")
        values = self._values() if operator in ("in", "notin") else self._value()
        return _requirement(key, operator, tuple(sorted(values)))

    def _value(self) -> set[str]:
        if self._peek() in ("", ","):
            return {""}
        token = self._next()
        if not self._is_identifier(token):
            raise SelectorError(f"found '{token}', expected: identifier")
        return {token}

    def _values(self) -> set[str]:
        token = self._next()
        if token != "(":
            raise SelectorError(f"found '{token}' expected: '('")
        token = self._peek()
        if token == ")":
            self._next()
            return {""}
        if not self._is_identifier(token) and token != ",":
            raise SelectorError(f"found '{token}', expected: ',', ')' or identifier")
        found = self._identifiers()
        self._next()
        return found

    def _identifiers(self) -> set[str]:
        """The list between the parentheses, up to and without the closing one; empty items count as ""."""
        found: set[str] = set()
        while True:
            token = self._next()
            following = self._peek() if token else ""
            if self._is_identifier(token):
                found.add(token)
                if following == ")":
                    return found
                if following != ",":
                    raise SelectorError(f"found '{following}', expected: ',' or ')'")
            elif token == ",":
                if not found or following in (")", ","):
                    found.add("")
                if following == ")":
                    return found
            else:
                raise SelectorError(f"found '{token}', expected: ',', or identifier")
