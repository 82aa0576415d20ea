"""x-kubernetes-validations of a schema, evaluated on objects.

Stands for apiextensions' apiserver/schema/cel/validation.go: order, messages, transition rules, ratcheting, and
the budget that all rules of an object share.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct, field

from fakeapi import errors
from fakeapi.cel import environment, eval
from fakeapi.cel.compilation import Compiled, CompileError, expression
from fakeapi.cel.environment import escape, kind_of
from fakeapi.cel.library import conversions
from fakeapi.cel.limits import OUT_OF_BUDGET, PER_OBJECT
from fakeapi.cel.meter import Cancelled
from fakeapi.cel.values import CelError, MapList, Optional, SetList
from fakeapi.errors import FieldError
from fakeapi.gofmt import go_quote
from fakeapi.schema.validation import NOTHING, correlate, same

Schema = Mapping[str, Any]
Found = tuple[list[FieldError], list[str]]


class _Round(Struct):
    """One validation of an object. left: of its budget; negative when nothing further is evaluated."""

    errors: list[FieldError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left: int = PER_OBJECT

    def pay(self, program: eval.Metered) -> None:
        """The price of what has just run. OverBudget."""
        self.left -= program.spent
        if self.left < 0:
            raise OverBudget(OUT_OF_BUDGET)

    def end(self, error: FieldError) -> None:
        """This error is the last."""
        self.errors.append(error)
        self.left = -1


class OverBudget(Exception):
    """The object's rules have cost what they may together; str() is what is told."""


class Rule(Struct):
    """One rule, compiled, or why it does not compile."""

    given: Schema
    compiled: Compiled | None
    program: eval.Metered | None
    message: eval.Metered | None
    problem: str = ""

    @property
    def label(self) -> str:
        """The message or else the rule itself, as error texts name it."""
        text: str = self.given.get("message") or self.given["rule"]
        return text.strip()


class Rules:
    """The rules at one place of a schema and below."""

    def __init__(self, schema: Schema, is_root: bool = False) -> None:
        self.schema = schema
        self._root = is_root
        properties = schema.get("properties") or {}
        found = ((name, Rules._below(inner)) for name, inner in sorted(properties.items()))
        self._properties = {name: rules for name, rules in found if rules is not None}
        additional, items = schema.get("additionalProperties"), schema.get("items")
        self._additional = Rules._below(additional) if isinstance(additional, Mapping) else None
        self._items = Rules._below(items) if isinstance(items, Mapping) else None

    @classmethod
    def of(cls, schema: Schema, is_root: bool = True) -> Rules | None:
        """The rules of a whole schema; None when there are none."""
        made = cls(schema, is_root)
        return made if made._any else None

    @classmethod
    def _below(cls, schema: Schema) -> Rules | None:
        return cls.of(schema, False)

    @property
    def _any(self) -> bool:
        below = (self._properties, self._additional, self._items)
        return bool(self.schema.get("x-kubernetes-validations")) or any(part for part in below)

    @cached_property
    def _own(self) -> list[Rule]:
        schema = environment.resource_if(self.schema, self._root)
        return [_compile(given, schema) for given in self._all_given()]

    def _all_given(self) -> Iterator[Schema]:
        yield from self.schema.get("x-kubernetes-validations") or ()

    def validate(self, value: Any, old: Any = NOTHING, path: str = "", budget: int = PER_OBJECT) -> Found:
        """(errors, warnings about what was wrong before and has not changed). budget: what all may cost together."""
        found = _Round(left=budget)
        self._validate(value, old, path, found)
        return found.errors, found.warnings

    def _validate(self, value: Any, old: Any, path: str, found: _Round) -> None:
        if value is None or found.left < 0:
            return
        if self.schema.get("x-kubernetes-validations"):
            self._evaluate(value, old, path, found)
        if isinstance(value, dict):
            before = old if isinstance(old, dict) and self.schema.get("x-kubernetes-map-type") != "atomic" else {}
            for name, rules in self._properties.items():
                if name in value:
                    rules._validate(value[name], before.get(name, NOTHING), f"{path}.{name}" if path else name, found)
            for name in sorted(value) if self._additional is not None else ():
                if self._additional is not None:
                    self._additional._validate(value[name], before.get(name, NOTHING), f"{path}[{name}]", found)
        elif isinstance(value, list) and self._items is not None:
            for index, counterpart in enumerate(correlate(self.schema, value, old)):
                self._items._validate(value[index], counterpart, f"{path}[{index}]", found)

    def _evaluate(self, value: Any, old: Any, path: str, found: _Round) -> None:
        kind, at = self.schema.get("type") or "", path or "<nil>"
        if found.left == 0:
            found.end(errors.invalid(at, kind, OUT_OF_BUDGET))
            return
        schema = environment.resource_if(self.schema, self._root)
        absent = old is NOTHING or old is None
        variables = {"self": convert(value, schema)}
        before = None if absent else convert(old, schema)
        for rule in self._own:
            if rule.program is None or rule.compiled is None:
                found.errors.append(errors.invalid(at, kind, f"rule compile error: {rule.problem}"))
                continue
            optional = bool(rule.given.get("optionalOldSelf"))
            if rule.compiled.uses_old and absent and not optional:
                continue
            variables["oldSelf"] = Optional(before, not absent) if optional else before
            try:
                passed = rule.program(variables)
            except CelError as error:
                found.errors.append(errors.invalid(at, kind, _evaluation_error(str(error), rule.label)))
                passed = True
            except Cancelled as error:
                what = "no further validation rules will be run due to call cost exceeds limit for rule"
                found.end(errors.invalid(at, kind, f"'{error}': {what}: {rule.label}"))
                return
            try:
                found.pay(rule.program)
            except OverBudget as error:
                found.end(errors.invalid(at, kind, str(error)))
                return
            if passed is not True and not self._fail(rule, value, old, variables, path, found):
                return

    def _fail(self, rule: Rule, value: Any, old: Any, variables: Mapping[str, Any], path: str, found: _Round) -> bool:
        """Tell of a rule that does not hold: as a warning where nothing has changed. Whether to go on."""
        try:
            made = _message(rule, variables, found)
        except OverBudget as error:
            failure, found.left = errors.invalid(self._at(rule, path), self.schema.get("type") or "", str(error)), -1
        else:
            failure = self._failure(rule, value, made, path)
        assert rule.compiled is not None
        if not rule.compiled.uses_old and old is not NOTHING and same(value, old):
            found.warnings.append(str(failure))
        else:
            found.errors.append(failure)
        return found.left >= 0

    def _at(self, rule: Rule, path: str) -> str:
        """Where the error is told, which a fieldPath says."""
        field_ = rule.given.get("fieldPath") or ""
        if field_:
            path = f"{path}{_normal(field_)}" if path else _normal(field_).removeprefix(".")
        return path or "<nil>"

    def _failure(self, rule: Rule, value: Any, made: str, path: str) -> FieldError:
        given = rule.given
        detail = made or (given.get("message") or "").strip() or f"failed rule: {rule.label}"
        plain = (self.schema.get("type") or "") not in ("object", "array")
        return _reasoned(given.get("reason"), self._at(rule, path), value, detail, plain)


def _normal(field: str) -> str:
    """A fieldPath as field errors spell it."""
    import re

    return re.sub(r"\['((?:\\.|[^'\\])*)'\]", lambda m: f".{m[1]}", field)


def _reasoned(reason: str | None, path: str, value: Any, detail: str, plain: bool) -> FieldError:
    """fieldErrorForReason; objects and lists are not shown."""
    if reason == "FieldValueForbidden":
        return errors.forbidden(path, detail)
    if reason == "FieldValueRequired":
        return errors.required(path, detail)
    if reason == "FieldValueDuplicate":
        return errors.duplicate(path, value) if plain else FieldError(reason, path, "Duplicate value")
    return (
        errors.invalid(path, value, detail) if plain else FieldError("FieldValueInvalid", path, "Invalid value", detail)
    )


def _evaluation_error(text: str, label: str) -> str:
    if text.startswith("no such overload"):
        what = "call arguments did not match a supported operator, function or macro signature"
        return f"'{text}': {what} for rule: {label}"
    return f"{text} evaluating rule: {label}"


def _message(rule: Rule, variables: Mapping[str, Any], found: _Round) -> str:
    """What messageExpression makes; "" where it fails or makes nothing that can be shown. OverBudget."""
    if rule.message is None:
        return ""
    try:
        text = rule.message(dict(variables))
    except CelError:
        text = ""
    except Cancelled:
        what = "no further validation rules will be run due to call cost exceeds limit for messageExpression"
        raise OverBudget(f"{what}: {go_quote(rule.given['messageExpression'])}") from None
    found.left -= rule.message.spent
    if found.left < 0:
        what = "messageExpression evaluation failed due to running out of cost budget"
        raise OverBudget(f"{what}, no further validation rules will be run")
    if not isinstance(text, str) or "\n" in text or len(text) > 5 * 1024:
        return ""
    return text.strip()


def _compile(given: Schema, schema: Schema) -> Rule:
    texts = given["rule"], given.get("messageExpression") or ""
    env = environment.make(schema, bool(given.get("optionalOldSelf")), *texts)
    try:
        compiled = expression(given["rule"], env, "BOOL", "rule")
        program = eval.compile(compiled.node)
    except (CompileError, CelError) as error:
        return Rule(given, None, None, None, str(error))
    message = None
    if given.get("messageExpression"):
        try:
            message = eval.compile(expression(given["messageExpression"], env, "STRING", "message").node)
        except (CompileError, CelError):
            message = None
    return Rule(given, compiled, program, message)


def convert(value: Any, schema: Schema) -> Any:
    """A value as CEL sees it under its schema: escaped names, times, bytes, lists that are sets or maps."""
    if isinstance(value, dict):
        return _convert_object(value, schema)
    if isinstance(value, list):
        items = schema.get("items") or {}
        made = [convert(item, items) for item in value]
        kind = schema.get("x-kubernetes-list-type")
        if kind == "set":
            return SetList(made)
        if kind == "map":
            keyed = MapList(made)
            keyed.keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
            return keyed
        return made
    if isinstance(value, str):
        return _convert_text(value, kind_of(schema))
    if isinstance(value, int) and not isinstance(value, bool) and schema.get("type") == "number":
        return float(value)
    return value


def _convert_object(value: dict[str, Any], schema: Schema) -> dict[str, Any]:
    additional = schema.get("additionalProperties")
    if isinstance(additional, Mapping):
        return {name: convert(item, additional) for name, item in value.items()}
    properties = schema.get("properties") or {}
    if schema.get("x-kubernetes-embedded-resource"):
        properties = environment.with_meta(schema)["properties"]
    return {
        escape(name): convert(item, properties[name])
        for name, item in value.items()
        if name in properties and escape(name)
    }


def _convert_text(value: str, kind: str) -> Any:
    try:
        if kind == "bytes":
            return base64.b64decode(value, validate=True)
        if kind == "duration":
            return conversions.duration(value)
        if kind == "timestamp":
            return conversions.timestamp(value if "T" in value else f"{value}T00:00:00Z")
    except (CelError, binascii.Error, ValueError):
        return value
    return value
