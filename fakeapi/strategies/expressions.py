"""Whether the CEL expressions of admission policies and webhooks compile, and give what is wanted of them.

Stands for the part of pkg/apis/admissionregistration/validation that asks apiserver's CEL compiler. Leaves out that
expressions which were already stored may use newer parts of the language.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from fakeapi.errors import FieldError, invalid, required
from fakeapi.names import is_c_identifier
from fakeapi.strategies.base import Obj

if TYPE_CHECKING:
    from fakeapi.cel.policies import Variable

_WORDS = (
    "true false null in as break const continue else for function if import let loop "
    "package namespace return var void while"
)
_RESERVED = frozenset(_WORDS.split())
_NAME = "must be a valid CEL identifier"


class Scope(Struct):
    """What the expressions of one policy may use: whether there are parameters, and the variables known so far.

    variables: None where `variables` does not exist, as in match conditions and policies that have none.
    """

    params: bool = False
    variables: tuple[Variable, ...] | None = None

    def check(
        self,
        at: str,
        text: str,
        *wanted: str,
        authorizer: bool = True,
        patching: bool = False,
        compiled: str | None = None,
    ) -> list[FieldError]:
        """Errors at that path unless the expression compiles and is of one of the types. compiled: if not the text."""
        from fakeapi.cel import policies  # late: the CEL library is 15 MB that most servers never need

        try:
            program = policies.compile(
                text if compiled is None else compiled,
                params=self.params,
                variables=self.variables,
                authorizer=authorizer,
                patching=patching,
            )
            policies.must_be(program, *wanted, loose=patching or policies.hides_types(self.variables or ()))
        except policies.PolicyError as error:
            return [invalid(at, text, str(error))]
        return []

    def declare(self, at: str, variables: Sequence[Obj]) -> list[FieldError]:
        """validateVariable of each: expressions after it may use it if it compiles."""
        from fakeapi.cel import policies

        found: list[FieldError] = []
        known: dict[str, Variable] = {}
        self.variables = () if variables else None
        for i, variable in enumerate(variables):
            own, name, text = f"{at}[{i}]", variable.get("name", ""), variable.get("expression", "")
            if not name.strip():
                found.append(required(f"{own}.name", "name is not specified"))
            elif is_c_identifier(name) or name in _RESERVED:
                found.append(invalid(f"{own}.name", name, _NAME))
            if not text.strip():
                found.append(required(f"{own}.expression", "expression is not specified"))
                continue
            try:
                program = policies.compile(text, params=self.params, variables=self.variables)
            except policies.PolicyError as error:
                found.append(invalid(f"{own}.expression", text, str(error)))
                continue
            if not is_c_identifier(name):
                known[name] = policies.Variable(name, program.type)
                self.variables = tuple(known.values())
        return found
