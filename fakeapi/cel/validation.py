"""x-kubernetes-validations of a schema, evaluated on objects.

Stands for apiextensions' apiserver/schema/cel/validation.go: order, messages, transition rules, ratcheting. Left out:
the run-time cost budget; what a definition lets in was estimated when it was created.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fakeapi import errors
from fakeapi.cel import environment, eval
from fakeapi.cel.compilation import Compiled, CompileError, expression
from fakeapi.cel.environment import escape, kind_of
from fakeapi.cel.library import standard
from fakeapi.cel.values import CelError, MapList, Optional, SetList
from fakeapi.errors import FieldError
from fakeapi.schema.validation import NOTHING, correlate, same

Schema = Mapping[str, Any]
Found = tuple[list[FieldError], list[str]]


@dataclass(slots=True)
class Rule:
    """One rule, compiled, or why it does not compile."""

    given: Schema
    compiled: Compiled | None
    program: eval.Program | None
    message: eval.Program | None
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

    def validate(self, value: Any, old: Any = NOTHING, path: str = "") -> Found:
        """(errors, warnings about what was wrong before and has not changed)."""
        found: Found = ([], [])
        self._validate(value, old, path, found)
        return found

    def _validate(self, value: Any, old: Any, path: str, found: Found) -> None:
        if value is None:
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

    def _evaluate(self, value: Any, old: Any, path: str, found: Found) -> None:
        schema = environment.resource_if(self.schema, self._root)
        kind = self.schema.get("type") or ""
        absent = old is NOTHING or old is None
        variables = {"self": convert(value, schema)}
        before = None if absent else convert(old, schema)
        for rule in self._own:
            if rule.program is None or rule.compiled is None:
                found[0].append(errors.invalid(path or "<nil>", kind, f"rule compile error: {rule.problem}"))
                continue
            optional = bool(rule.given.get("optionalOldSelf"))
            if rule.compiled.uses_old and absent and not optional:
                continue
            variables["oldSelf"] = Optional(before, not absent) if optional else before
            try:
                passed = rule.program(variables)
            except CelError as error:
                found[0].append(errors.invalid(path or "<nil>", kind, _evaluation_error(str(error), rule.label)))
                continue
            if passed is not True:
                failure = self._failure(rule, value, variables, path)
                if not rule.compiled.uses_old and old is not NOTHING and same(value, old):
                    found[1].append(str(failure))
                else:
                    found[0].append(failure)

    def _failure(self, rule: Rule, value: Any, variables: Mapping[str, Any], path: str) -> FieldError:
        given = rule.given
        field = given.get("fieldPath") or ""
        if field:
            path = f"{path}{_normal(field)}" if path else _normal(field).removeprefix(".")
        detail = _message(rule, variables) or (given.get("message") or "").strip() or f"failed rule: {rule.label}"
        plain = (self.schema.get("type") or "") not in ("object", "array")
        return _reasoned(given.get("reason"), path or "<nil>", value, detail, plain)


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


def _message(rule: Rule, variables: Mapping[str, Any]) -> str:
    """What messageExpression makes; "" where it fails or makes nothing that can be shown."""
    if rule.message is None:
        return ""
    try:
        text = rule.message(dict(variables))
    except CelError:
        return ""
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
            return standard.duration(value)
        if kind == "timestamp":
            return standard.timestamp(value if "T" in value else f"{value}T00:00:00Z")
    except (CelError, binascii.Error, ValueError):
        return value
    return value
