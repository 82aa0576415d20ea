"""Values against structural schemas: every OpenAPI v3 keyword, with upstream's errors.

Stands for kube-openapi's pkg/validation/validate and apiextensions' apiserver/validation (conversion of its results
into field errors, ratcheting). A schema is compiled into one function; errors come in upstream's order, but where
upstream walks a Go map it is the alphabet's. A message names the path inside what is validated; the field also has the
prefix. Left out: uniqueItems, which no definition may set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import re2
from msgspec import Struct, field

from fakeapi import errors
from fakeapi.errors import FieldError
from fakeapi.gofmt import GoText
from fakeapi.schema.formats import FORMATS, recognized

Schema = Mapping[str, Any]

# No old value to compare with: nothing is ratcheted.
NOTHING: Any = object()
_INT32, _INT64, _FLOAT32 = 2**31, 2**63, 3.4028234663852886e38


class Result(Struct):
    """Errors found, and how many checks were made (which alternative of an anyOf came closest)."""

    errors: list[FieldError] = field(default_factory=list)
    matched: int = 0

    def merge(self, other: Result) -> None:
        """Take over another's findings."""
        self.errors += other.errors
        self.matched += other.matched


Check = Callable[[Any, str, Any, "Run"], Result]


class Run(Struct, frozen=True):
    """prefix: of the fields of errors ("status" where only the status is validated)."""

    prefix: str = ""

    def at(self, path: str) -> str:
        """The field of an error."""
        return ".".join(part for part in (self.prefix, path.removeprefix(".")) if part) or "<nil>"

    @property
    def nowhere(self) -> str:
        """The field of an error that upstream does not place."""
        return self.prefix or "<nil>"


def compile(schema: Schema) -> Check:
    """The function that checks values: check(value, path, old value or NOTHING, run) -> Result."""
    steps = [step for make in _MAKERS if (step := make(schema)) is not None]
    nullable = bool(schema.get("nullable"))
    types = _types(schema)

    def check(value: Any, path: str, old: Any, run: Run) -> Result:
        result = Result(matched=1)
        if value is None:
            if types and not nullable:
                result.errors.append(_wrong_type(run, path, ",".join(types), "null"))
            return result
        for step in steps:
            step(value, path, old, run, result)
        if result.errors and old is not NOTHING and same(value, old):
            return Result()
        return result

    return check


def validate(check: Check, value: Any, old: Any = NOTHING, prefix: str = "") -> list[FieldError]:
    """The errors of a value; old: what it replaces."""
    return check(value, "", old, Run(prefix)).errors


def same(one: Any, other: Any) -> bool:
    """DeepEqual: true is not 1, but 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


Step = Callable[[Any, str, Any, Run, Result], None]


def _types(schema: Schema) -> tuple[str, ...]:
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    kind = schema.get("type")
    return (kind,) if kind else ()


def _format(schema: Schema) -> str:
    found = schema.get("format") or ""
    return found if found and recognized(found, schema.get("type", "")) else ""


def json_type(value: Any) -> str:
    """The JSON type of a value; integers apart from other numbers."""
    if isinstance(value, bool):
        return "boolean"
    return {str: "string", int: "integer", float: "number", dict: "object", list: "array", type(None): "null"}[
        type(value)
    ]


_GO_FORMATS = {"integer": "int64", "number": "double"}


def _wrong_type(run: Run, path: str, wanted: str, found: Any) -> FieldError:
    shown = orjson.dumps(found).decode() if isinstance(found, str) else found
    return errors.type_invalid(
        run.at(path), found, f"{path.removeprefix('.')} in body must be of type {wanted}: {shown}"
    )


def _type(schema: Schema) -> Step | None:
    types, format_ = _types(schema), _format(schema)
    if not types:
        return None
    numeric = "number" in types or "integer" in types

    def step(value: Any, path: str, old: Any, run: Run, result: Result) -> None:
        found = json_type(value)
        fits = found in types or (found == "integer" and "number" in types)
        fits = fits or (found == "number" and "integer" in types and float(value).is_integer())
        text = found in ("string", "array")
        result.matched += 1
        if fits or (format_ and text and not numeric):
            return
        if format_ and not text:
            go = _GO_FORMATS.get(found, "")
            result.errors.append(_wrong_type(run, path, format_, go))
            return
        result.errors.append(_wrong_type(run, path, ",".join(types), found))

    return step


def _unplaced(run: Run, text: str) -> FieldError:
    return errors.invalid(run.nowhere, "", text)


def _combinations(schema: Schema) -> Step | None:
    parts = {key: [compile(inner) for inner in schema.get(key) or ()] for key in ("anyOf", "oneOf", "allOf")}
    negated = compile(schema["not"]) if schema.get("not") else None
    if not any(parts.values()) and negated is None:
        return None

    def step(value: Any, path: str, old: Any, run: Run, result: Result) -> None:
        result.matched += 1
        shown = path.removeprefix(".")
        if parts["anyOf"]:
            _any_of(parts["anyOf"], value, path, old, run, result, shown)
        if parts["oneOf"]:
            _one_of(parts["oneOf"], value, path, old, run, result, shown)
        if parts["allOf"]:
            _all_of(parts["allOf"], value, path, old, run, result, shown)
        if negated is not None and not negated(value, path, NOTHING, run).errors:
            result.errors.append(_unplaced(run, f'"{shown}" must not validate the schema (not)'))

    return step


def _closest(results: list[Result]) -> Result:
    return max(results, key=lambda r: r.matched)


def _any_of(checks: list[Check], value: Any, path: str, old: Any, run: Run, result: Result, shown: str) -> None:
    failed = []
    for check in checks:
        found = check(value, path, old, run)
        if not found.errors:
            return
        failed.append(found)
    result.errors.append(_unplaced(run, f'"{shown}" must validate at least one schema (anyOf)'))
    result.merge(_closest(failed))


def _one_of(checks: list[Check], value: Any, path: str, old: Any, run: Run, result: Result, shown: str) -> None:
    found = [check(value, path, old, run) for check in checks]
    good = sum(not r.errors for r in found)
    if good == 1:
        return
    more = f"Found {good} valid alternatives" if good else "Found none valid"
    result.errors.append(_unplaced(run, f'"{shown}" must validate one and only one schema (oneOf). {more}'))
    if not good:
        result.merge(_closest(found))


def _all_of(checks: list[Check], value: Any, path: str, old: Any, run: Run, result: Result, shown: str) -> None:
    good = 0
    for check in checks:
        found = check(value, path, old, run)
        good += not found.errors
        result.merge(found)
    if good != len(checks):
        more = "" if good else ". None validated"
        result.errors.append(_unplaced(run, f'"{shown}" must validate all the schemas (allOf){more}'))


def _string(schema: Schema) -> Step | None:
    longest, shortest, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    if longest is None and shortest is None and not pattern:
        return None
    matches = pattern_of(pattern) if pattern else None

    def step(value: Any, path: str, old: Any, run: Run, result: Result) -> None:
        if not isinstance(value, str):
            return
        result.matched += 1
        at, shown = run.at(path), path.removeprefix(".")
        if longest is not None and len(value) > longest:
            result.errors.append(errors.too_long(at, longest))
        elif shortest is not None and len(value) < shortest:
            result.errors.append(errors.invalid(at, value, f"{shown} in body should be at least {shortest} chars long"))
        elif matches is not None and not matches(value):
            result.errors.append(errors.invalid(at, value, f"{shown} in body should match '{pattern}'"))

    return step


def pattern_of(pattern: str) -> Callable[[str], bool]:
    """A search for the RE2 pattern anywhere in a text; patterns that do not compile match nothing."""
    try:
        compiled = re2.compile(pattern)
    except re2.error:
        return lambda _: False
    return lambda text: compiled.search(text) is not None


def _formatted(schema: Schema) -> Step | None:
    format_ = _format(schema)
    accepts = FORMATS.get(format_.replace("-", "")) if format_ else None
    if accepts is None:
        return None

    def step(value: Any, path: str, old: Any, run: Run, result: Result) -> None:
        if isinstance(value, str):
            result.matched += 1
            if not accepts(value):
                result.errors.append(_wrong_type(run, path, format_, value))

    return step


def _number(schema: Schema) -> Step | None:
    format_, kind = _format(schema), schema.get("type", "")
    limits = [limit for make in (_multiple, _minimum, _maximum) if (limit := make(schema)) is not None]
    if kind not in ("integer", "number") and not limits:
        return None

    def step(value: Any, path: str, old: Any, run: Run, result: Result) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return
        result.matched += 1
        shown = path.removeprefix(".")
        if not _in_range(value, kind, format_):
            form = f"with format {format_}" if format_ else "(default format)"
            result.errors.append(_unplaced(run, f"Checked value must be of type {kind} {form} in {shown}"))
        for limit in limits:
            text = limit(value)
            if text:
                result.errors.append(
                    errors.invalid(run.at(path), _number_text(value), f"{shown} in body should be {text}")
                )

    return step


def _in_range(value: float, kind: str, format_: str) -> bool:
    if kind == "integer":
        bound = _INT32 if format_ == "int32" else _INT64
        return float(value).is_integer() and -bound <= value < bound
    return format_ != "float" or abs(value) <= _FLOAT32


def _number_text(value: Any) -> Any:
    """A number as Go's %v prints it."""
    return GoText(go_number(value)) if isinstance(value, float) else value


def go_number(value: float) -> str:
    """strconv's shortest form with an exponent from 21 digits on."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e21):
        return str(int(value))
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return mantissa
    return (
        f"{mantissa.removesuffix('.0')}e{exponent[0] if exponent[0] in '+-' else '+'}{exponent.lstrip('+-').zfill(2)}"
    )


Limit = Callable[[float], str]


def _multiple(schema: Schema) -> Limit | None:
    factor = schema.get("multipleOf")
    if not factor:
        return None
    text = f"a multiple of {go_number(factor)}"

    def limit(value: float) -> str:
        if isinstance(value, int) and float(factor).is_integer():
            return text if value % int(factor) else ""
        return "" if float(value / factor).is_integer() else text

    return limit


def _minimum(schema: Schema) -> Limit | None:
    bound = schema.get("minimum")
    if bound is None:
        return None
    if schema.get("exclusiveMinimum"):
        return lambda value: "" if value > bound else f"greater than {go_number(bound)}"
    return lambda value: "" if value >= bound else f"greater than or equal to {go_number(bound)}"


def _maximum(schema: Schema) -> Limit | None:
    bound = schema.get("maximum")
    if bound is None:
        return None
    if schema.get("exclusiveMaximum"):
        return lambda value: "" if value < bound else f"less than {go_number(bound)}"
    return lambda value: "" if value <= bound else f"less than or equal to {go_number(bound)}"


def _array(schema: Schema) -> Step | None:
    items = compile(schema["items"]) if schema.get("items") else None
    fewest, most = schema.get("minItems"), schema.get("maxItems")
    if items is None and fewest is None and most is None:
        return None

    def step(value: Any, path: str, old: Any, run: Run, result: Result) -> None:
        if not isinstance(value, list):
            return
        result.matched += 1
        if items is not None:
            counterparts = correlate(schema, value, old)
            for index, item in enumerate(value):
                result.merge(items(item, f"{path}[{index}]", counterparts[index], run))
        at, shown = run.at(path), path.removeprefix(".")
        if fewest is not None and len(value) < fewest:
            result.errors.append(errors.invalid(at, len(value), f"{shown} in body should have at least {fewest} items"))
        if most is not None and len(value) > most:
            result.errors.append(errors.too_many(at, len(value), most))

    return step


def correlate(schema: Schema, value: list[Any], old: Any) -> list[Any]:
    """For each item the one of the old list that it stands for: only lists of type map have any."""
    if not isinstance(old, list) or schema.get("x-kubernetes-list-type") != "map":
        return [NOTHING] * len(value)
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    known: dict[Any, Any] = {}
    for item in old:
        if isinstance(item, dict):
            known.setdefault(orjson.dumps([item.get(key) for key in keys]), item)
    return [
        known.get(orjson.dumps([item.get(key) for key in keys]), NOTHING) if isinstance(item, dict) else NOTHING
        for item in value
    ]


def _enum(schema: Schema) -> Step | None:
    allowed = schema.get("enum")
    if not allowed:
        return None
    texts = [item if isinstance(item, str) else orjson.dumps(item).decode() for item in allowed]

    def step(value: Any, path: str, old: Any, run: Run, result: Result) -> None:
        result.matched += 1
        if not any(same(value, item) for item in allowed):
            result.errors.append(errors.not_supported(run.at(path), value, texts))

    return step


def _object(schema: Schema) -> Step | None:
    properties = {name: compile(inner) for name, inner in sorted((schema.get("properties") or {}).items())}
    additional = schema.get("additionalProperties")
    others = compile(additional) if isinstance(additional, Mapping) else None
    needed = schema.get("required") or ()
    fewest, most = schema.get("minProperties"), schema.get("maxProperties")
    if not properties and others is None and not needed and fewest is None and most is None:
        return None

    def step(value: Any, path: str, old: Any, run: Run, result: Result) -> None:
        if not isinstance(value, dict):
            return
        result.matched += 1
        before = old if isinstance(old, dict) else {}
        if fewest is not None and len(value) < fewest:
            text = f"{path.removeprefix('.')} in body should have at least {fewest} properties"
            result.errors.append(errors.invalid(run.at(path), len(value), text))
            return
        if most is not None and len(value) > most:
            result.errors.append(errors.too_many(run.at(path), len(value), most))
            return
        if others is not None:
            for name in sorted(value.keys() - properties.keys()):
                result.merge(others(value[name], f"{path}.{name}", before.get(name, NOTHING), run))
        for name, check in properties.items():
            if name in value:
                result.merge(check(value[name], f"{path}.{name}", before.get(name, NOTHING), run))
        result.errors += [errors.required(run.at(f"{path}.{name}")) for name in needed if name not in value]

    return step


_MAKERS: tuple[Callable[[Schema], Step | None], ...] = (
    _type,
    _combinations,
    _string,
    _formatted,
    _number,
    _array,
    _enum,
    _object,
)


def list_types(schema: Schema, value: Any, path: str = "") -> list[FieldError]:
    """Duplicates in lists of type set and map (structural listtype validation)."""
    if isinstance(value, list):
        found = _duplicates(schema, value, path)
        for index, item in enumerate(value):
            found += list_types(schema.get("items") or {}, item, f"{path}[{index}]")
        return found
    found = []
    if isinstance(value, dict):
        properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
        for name in sorted(value):
            if isinstance(additional, Mapping):
                found += list_types(additional, value[name], f"{path}[{name}]")
            elif name in properties:
                found += list_types(properties[name], value[name], f"{path}.{name}" if path else name)
    return found


def _duplicates(schema: Schema, value: list[Any], path: str) -> list[FieldError]:
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set":
        return [errors.duplicate(f"{path}[{i}]", value[i]) for i in _repeated(value)]
    if kind != "map":
        return []
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            return [errors.invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map")]
    names = schema.get("x-kubernetes-list-map-keys") or ()
    keys = [{name: item[name] for name in names if name in item} if item else {} for item in value]
    return [errors.duplicate(f"{path}[{i}]", keys[i]) for i in _repeated(keys)]


def _repeated(values: list[Any]) -> list[int]:
    """Where a value stands for the second time."""
    seen: dict[bytes, int] = {}
    found = []
    for index, value in enumerate(values):
        key = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 2:
            found.append(index)
    return found


__all__ = ["NOTHING", "Check", "Result", "Run", "compile", "correlate", "list_types", "same", "validate"]
