"""Rules at the creation of a definition: do they compile, and may they become too expensive?

Stands for apiextensions' apiserver/schema/cel/compilation.go and the cost half of its definitions' validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from fakeapi import errors
from fakeapi.cel import ast, cost, environment, literals
from fakeapi.cel.ast import Node
from fakeapi.errors import FieldError

Schema = Mapping[str, Any]

EXPRESSION_LIMIT, SCHEMA_LIMIT = 10_000_000, 100_000_000
_HINT = (
    " (try simplifying the rule, or adding maxItems, maxProperties, and maxLength"
    " where arrays, maps, and strings are declared)"
)
_MOST_EXPENSIVE = 4


class CompileError(Exception):
    """An expression is no good; str() is upstream's message."""


class Compiled(Struct, frozen=True):
    """A checked expression and whether it speaks of oldSelf."""

    node: Node
    uses_old: bool


def expression(text: str, env: environment.Environment, wanted: str, what: str) -> Compiled:
    """Check one expression; wanted: BOOL or STRING. CompileError."""
    prefix, must = (
        ("", "cel expression must evaluate to a bool")
        if what == "rule"
        else ("messageExpression ", "messageExpression must evaluate to a string")
    )
    try:
        checked = env.compile(text)
    except RuntimeError as error:
        raise CompileError(f"{prefix}compilation failed: {environment.message_of(error)}") from None
    data = checked.serialize()
    node = ast.read(data)
    if env.optional_old:
        node = node.parts[-1]
    wrong = literals.issues(text, data, node, loose=True)
    if wrong:
        raise CompileError(f"{prefix}compilation failed: {wrong}")
    if str(checked.return_type()) != wanted:
        raise CompileError(must)
    return Compiled(node, uses(node, "oldSelf"))


def uses(node: Node, name: str) -> bool:
    """Whether an identifier occurs."""
    return (node.kind == "ident" and node.name == name) or any(uses(part, name) for part in node.parts)


class Budget(Struct):
    """What all rules of a schema cost together. known: rules whose own cost is not looked at."""

    known: frozenset[str] = frozenset()
    total: int = 0
    seen: list[tuple[int, str]] = field(default_factory=list)

    def observe(self, path: str, price: int) -> None:
        """Count an expression."""
        self.total = min(self.total + price, cost.MAX)
        if price:
            self.seen.append((price, path))

    def errors(self, path: str) -> list[FieldError]:
        """What is said when the whole is too expensive."""
        if self.total <= SCHEMA_LIMIT:
            return []
        worst = sorted(self.seen, key=lambda found: -found[0])[:_MOST_EXPENSIVE]
        text = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        found = [
            errors.forbidden(at, text)
            for price, at in worst
            if price > SCHEMA_LIMIT // _MOST_EXPENSIVE or len(worst) == 1
        ]
        whole = exceeds(
            "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema", self.total, SCHEMA_LIMIT
        )
        return [*found, errors.forbidden(path, whole)]


def exceeds(what: str, price: int, limit: int) -> str:
    """`estimated rule cost exceeds budget by factor of 1.5x (...)`."""
    ratio = price / limit
    factor = "more than 100x" if ratio > 100 else f"{ratio:.6f}x" if ratio < 1.5 else f"{ratio:.1f}x"
    return f"{what} exceeds budget by factor of {factor}{_HINT}"


class Place(Struct, frozen=True):
    """Where in a schema rules stand. cardinality: how often the place may occur in an object; None where a list or map
    around it has no limit of its own."""

    schema: Schema
    budget: Budget
    cardinality: int | None = 1

    @classmethod
    def root(cls, schema: Schema, budget: Budget) -> Place:
        """The root, which has the type and metadata of a resource."""
        return cls(environment.with_meta(schema), budget)

    def property(self, schema: Schema, name: str) -> Place | None:
        """A property's place."""
        return replace(self, schema=environment.resource_if(schema, False))

    def additional(self, schema: Schema) -> Place | None:
        """The place of a map's values."""
        return replace(self, schema=environment.resource_if(schema, False), cardinality=self._times("maxProperties"))

    def items(self, schema: Schema) -> Place | None:
        """The place of a list's items."""
        return replace(self, schema=environment.resource_if(schema, False), cardinality=self._times("maxItems"))

    def _times(self, key: str) -> int | None:
        limit = self.schema.get(key)
        return None if limit is None or self.cardinality is None else min(self.cardinality * limit, cost.MAX)

    def _occurrences(self) -> int:
        """How often at most: what a request has room for where nothing else is known."""
        if self.cardinality is not None:
            return self.cardinality
        return cost.REQUEST // (cost.smallest(self.schema) + 1)

    def check(self, rules: Sequence[Schema], path: str, uncorrelated: str) -> list[FieldError]:
        """The errors of the rules of this place."""
        from fakeapi.crds import goform

        found: list[FieldError] = []
        for index, rule in enumerate(rules):
            at = f"{path}.x-kubernetes-validations[{index}]"
            texts = rule["rule"], rule.get("messageExpression") or ""
            env = environment.make(self.schema, bool(rule.get("optionalOldSelf")), *texts)
            shown = goform.text(goform.rule(dict(rule)))
            compiled = None
            try:
                compiled = expression(rule["rule"], env, "BOOL", "rule")
            except CompileError as error:
                self._price(None, at, "rule", "estimated rule cost", rule["rule"], found)
                found.append(errors.invalid(f"{at}.rule", shown, str(error)))
            else:
                self._price(compiled.node, at, "rule", "estimated rule cost", rule["rule"], found)
            found += self._message(rule, env, at, shown)
            if compiled is None:
                continue
            if compiled.uses_old and uncorrelated:
                text = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelated}"
                found.append(errors.invalid(f"{at}.rule", rule["rule"], text))
            elif not compiled.uses_old and rule.get("optionalOldSelf") is not None:
                text = "may not be set if oldSelf is not used in rule"
                found.append(errors.invalid(f"{at}.optionalOldSelf", rule["optionalOldSelf"], text))
        return found

    def _message(self, rule: Schema, env: Any, at: str, shown: Any) -> list[FieldError]:
        text = rule.get("messageExpression") or ""
        found: list[FieldError] = []
        if text:
            try:
                node = expression(text, env, "STRING", "message").node
            except CompileError as error:
                return [errors.invalid(f"{at}.messageExpression", shown, str(error))]
            self._price(node, at, "messageExpression", "estimated messageExpression cost", text, found)
        return found

    def _price(self, node: Node | None, at: str, key: str, what: str, text: str, found: list[FieldError]) -> None:
        price = cost.estimate(node, self.schema) if node is not None else 0
        price = min(price * self._occurrences(), cost.MAX)
        if price > EXPRESSION_LIMIT and text not in self.budget.known:
            found.append(errors.forbidden(f"{at}.{key}", exceeds(what, price, EXPRESSION_LIMIT)))
        self.budget.observe(f"{at}.{key}", price)
