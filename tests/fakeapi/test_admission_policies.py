"""Admission policies: what they refuse, tell, change, and which of them may be stored at all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakeapi.inprocess import InProcess, Reply, in_process

GROUP = "/apis/admissionregistration.k8s.io/v1"
NUMBERS = itertools.count()
RULE = {"apiGroups": [""], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}


@pytest.fixture(scope="module")
def server() -> Iterator[InProcess]:
    with in_process() as made:
        yield made


class Place:
    """A namespace with policies of its own."""

    def __init__(self, server: InProcess) -> None:
        self._server = server
        self.name = f"place-{next(NUMBERS)}"
        self.path = f"/api/v1/namespaces/{self.name}"
        server.ask("POST", "/api/v1/namespaces", {"metadata": {"name": self.name}})

    def policy(self, kind: str, spec: dict[str, Any]) -> Reply:
        match = {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.name}},
            "resourceRules": [RULE],
        }
        body = {"metadata": {"name": self.name}, "spec": {"matchConstraints": match, **spec}}
        return self._server.ask("POST", f"{GROUP}/{kind}admissionpolicies", body)

    def bind(self, kind: str, **spec: Any) -> Reply:
        body = {"metadata": {"name": self.name}, "spec": {"policyName": self.name, **spec}}
        return self._server.ask("POST", f"{GROUP}/{kind}admissionpolicybindings", body)

    def validating(self, spec: dict[str, Any], *actions: str, **binding: Any) -> None:
        assert self.policy("validating", spec).status == 201
        assert self.bind("validating", validationActions=list(actions or ("Deny",)), **binding).status == 201

    def mutating(self, spec: dict[str, Any], **binding: Any) -> None:
        assert self.policy("mutating", {"reinvocationPolicy": "Never", **spec}).status == 201
        assert self.bind("mutating", **binding).status == 201

    def create(self, name: str = "c", query: str = "", **data: str) -> Reply:
        return self._server.ask("POST", f"{self.path}/configmaps{query}", {"metadata": {"name": name}, "data": data})

    def told(self, text: str) -> str:
        policy = f"ValidatingAdmissionPolicy '{self.name}' with binding '{self.name}'"
        return f'configmaps "c" is forbidden: {policy} denied request: {text}'


@pytest.fixture
def place(server: InProcess) -> Place:
    return Place(server)


# -- Validating --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "code", "told"),
    [
        ({"validations": [{"expression": " 1 == 2"}]}, 422, "failed expression: 1 == 2"),
        ({"validations": [{"expression": "false", "message": "no", "reason": "Forbidden"}]}, 403, "no"),
        (
            {"validations": [{"expression": "false", "messageExpression": "'not ' + object.metadata.name"}]},
            422,
            "not c",
        ),
        ({"validations": [{"expression": "false", "message": "no", "messageExpression": "''"}]}, 422, "no"),
        ({"validations": [{"expression": "true"}, {"expression": "false", "message": "second"}]}, 422, "second"),
        (
            {
                "variables": [{"name": "n", "expression": "size(object.data)"}],
                "validations": [{"expression": "variables.n > 1", "message": "few"}],
            },
            422,
            "few",
        ),
        (
            {"validations": [{"expression": "object.data.nope == 'x'"}]},
            422,
            "expression 'object.data.nope == 'x'' resulted in error: no such key: nope",
        ),
    ],
)
def test_a_denial_says_why(place: Place, spec: dict[str, Any], code: int, told: str) -> None:
    place.validating(spec)
    answer = place.create(a="1")
    assert (answer.status, answer.message) == (code, place.told(told))
    assert place.create(query="?dryRun=All", a="1").status == code


@pytest.mark.parametrize(
    "spec",
    [
        {"validations": [{"expression": "object.data.a == '1'"}]},
        {"validations": [{"expression": "object.data.nope == 'x'"}], "failurePolicy": "Ignore"},
        {
            "validations": [{"expression": "false"}],
            "matchConditions": [{"name": "n", "expression": "object.metadata.name != 'c'"}],
        },
        {"auditAnnotations": [{"key": "k", "valueExpression": "string(object.data.a)"}]},
    ],
    ids=["holds", "failure-ignored", "condition", "annotation"],
)
def test_what_passes(place: Place, spec: dict[str, Any]) -> None:
    place.validating(spec)
    answer = place.create(a="1")
    assert (answer.status, answer.warnings) == (201, ())


def test_actions_other_than_deny_let_it_pass(server: InProcess) -> None:
    spec = {"validations": [{"expression": "false", "message": "careful"}]}
    warned, audited = Place(server), Place(server)
    warned.validating(spec, "Warn", "Audit")
    audited.validating(spec, "Audit")
    answer = warned.create()
    told = f"Validation failed for ValidatingAdmissionPolicy '{warned.name}' with binding '{warned.name}': careful"
    assert (answer.status, answer.warnings) == (201, (f'299 - "{told}"',))
    answer = audited.create()
    assert (answer.status, answer.warnings) == (201, ())


def test_a_policy_without_a_binding_does_nothing(place: Place) -> None:
    assert place.policy("validating", {"validations": [{"expression": "false"}]}).status == 201
    assert place.create().status == 201


def limits(action: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A policy whose parameter is the ConfigMap p, and the reference to it."""
    spec = {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "matchConditions": [{"name": "others", "expression": "object.metadata.name != params.metadata.name"}],
        "validations": [
            {"expression": "object.data.a == params.data.a", "messageExpression": "'must be ' + string(params.data.a)"}
        ],
    }
    return spec, {"name": "p", "parameterNotFoundAction": action}


def test_parameters(place: Place) -> None:
    place.create("p", a="2")
    spec, reference = limits("Deny")
    place.validating(spec, paramRef=reference)
    assert place.create(a="1").message == place.told("must be 2")
    assert place.create(a="2").status == 201


@pytest.mark.parametrize(("action", "status"), [("Deny", 422), ("Allow", 201)])
def test_no_parameters(place: Place, action: str, status: int) -> None:
    spec, reference = limits(action)
    place.validating(spec, paramRef=reference)
    answer = place.create(a="1")
    assert answer.status == status, answer.message
    told = "no params found for policy binding with `Deny` parameterNotFoundAction"
    assert status == 201 or told in answer.message


# -- Mutating ----------------------------------------------------------------------------------------------------------


def applied(text: str) -> dict[str, Any]:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": text}}


def patch(text: str) -> dict[str, Any]:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": text}}


@pytest.mark.parametrize(
    ("spec", "data", "labels"),
    [
        (
            {"mutations": [applied("Object{metadata: Object.metadata{labels: {'from': object.data.a}}}")]},
            {"a": "1"},
            {"from": "1"},
        ),
        (
            {"mutations": [patch("[JSONPatch{op: 'add', path: '/data/b', value: object.data.a + '0'}]")]},
            {"a": "1", "b": "10"},
            None,
        ),
        (
            {
                "mutations": [
                    patch(
                        "[JSONPatch{op: 'test', path: '/data/a', value: '9'}, JSONPatch{op: 'remove', path: '/data/a'}]"
                    )
                ]
            },
            {"a": "1"},
            None,
        ),
        (
            {
                "variables": [{"name": "v", "expression": "'x' + string(object.data.a)"}],
                "mutations": [
                    patch("[JSONPatch{op: 'replace', path: '/data/a', value: variables.v}]"),
                    applied("Object{metadata: Object.metadata{labels: {'second': object.data.a}}}"),
                ],
            },
            {"a": "x1"},
            {"second": "x1"},
        ),
        (
            {
                "matchConditions": [{"name": "n", "expression": "false"}],
                "mutations": [patch("[JSONPatch{op: 'remove', path: '/data'}]")],
            },
            {"a": "1"},
            None,
        ),
        (
            {"failurePolicy": "Ignore", "mutations": [patch("[JSONPatch{op: 'remove', path: '/data/nope'}]")]},
            {"a": "1"},
            None,
        ),
    ],
    ids=["apply", "patch", "patch-test-fails", "several", "condition", "failure-ignored"],
)
def test_mutations(place: Place, spec: dict[str, Any], data: dict[str, str], labels: dict[str, str] | None) -> None:
    place.mutating(spec)
    made = place.create(a="1").body
    assert (made.get("data"), made["metadata"].get("labels")) == (data, labels)


def test_a_mutation_that_fails_refuses(place: Place) -> None:
    place.mutating({"mutations": [patch("[JSONPatch{op: 'remove', path: '/data/nope'}]")]})
    answer = place.create(a="1")
    assert answer.status == 403
    assert answer.message.startswith(
        f"policy '{place.name}' with binding '{place.name}' denied request: JSON Patch: error in remove"
    )


# -- What may be stored ------------------------------------------------------------------------------------------------


def failed(expression: str) -> dict[str, Any]:
    return {"validations": [{"expression": expression}]}


TRUE = failed("true")


@pytest.mark.parametrize(
    ("kind", "spec", "field", "told"),
    [
        (
            "validating",
            failed("object.x ="),
            "validations[0].expression",
            "compilation failed: ERROR: <input>:1:10: Syntax error: token recognition",
        ),
        ("validating", failed("1 + 1"), "validations[0].expression", "must evaluate to bool but got int"),
        ("validating", failed("object.data.x"), "validations[0].expression", "must evaluate to bool but got dyn"),
        (
            "validating",
            failed("foo.bar == 1"),
            "validations[0].expression",
            "ERROR: <input>:1:1: undeclared reference to 'foo' (in",
        ),
        ("validating", failed("params.x == 1"), "validations[0].expression", "undeclared reference to 'params'"),
        ("validating", failed("variables.x == 1"), "validations[0].expression", "undeclared reference to 'variables'"),
        (
            "validating",
            TRUE
            | {
                "variables": [{"name": "a", "expression": "1"}],
                "matchConditions": [{"name": "n", "expression": "variables.a == 1"}],
            },
            "matchConditions[0].expression",
            "undeclared reference to 'variables'",
        ),
        (
            "validating",
            TRUE | {"variables": [{"name": "for", "expression": "1"}]},
            "variables[0].name",
            "must be a valid CEL identifier",
        ),
        (
            "validating",
            failed("variables.a") | {"variables": [{"name": "a", "expression": "1"}]},
            "validations[0].expression",
            "must evaluate to bool but got int",
        ),
        (
            "validating",
            {
                "validations": [
                    {"expression": "true", "messageExpression": "authorizer.path('/').check('get').reason()"}
                ]
            },
            "validations[0].messageExpression",
            "undeclared reference to 'authorizer'",
        ),
        (
            "validating",
            {"auditAnnotations": [{"key": "k", "valueExpression": "1"}]},
            "auditAnnotations[0].valueExpression",
            "must evaluate to one of [string null_type] but got int",
        ),
        (
            "validating",
            TRUE | {"paramKind": {"apiVersion": "v1/", "kind": "K"}},
            "paramKind.apiVersion",
            "version must be specified",
        ),
        (
            "mutating",
            {"mutations": [applied("1")]},
            "mutations[0].applyConfiguration.expression",
            "must evaluate to Object but got int",
        ),
        (
            "mutating",
            {"mutations": [patch("Object{}")]},
            "mutations[0].jsonPatch.expression",
            "must evaluate to list(JSONPatch) but got Object",
        ),
        (
            "mutating",
            {"mutations": [patch("[]") | applied("Object{}")]},
            "mutations[0].jsonPatch",
            "must not be specified when patchType is ApplyConfiguration",
        ),
    ],
)
def test_refused_at_once(place: Place, kind: str, spec: dict[str, Any], field: str, told: str) -> None:
    given = {"reinvocationPolicy": "Never", **spec} if kind == "mutating" else spec
    answer = place.policy(kind, given)
    causes = [(c["field"], c["message"]) for c in answer.body["details"]["causes"]]
    assert [c[0] for c in causes] == [f"spec.{field}"]
    assert told in causes[0][1]


def test_a_binding_names_its_parameters_in_one_way(place: Place) -> None:
    answer = place.bind("mutating", paramRef={"name": "p", "selector": {}, "parameterNotFoundAction": "Deny"})
    assert [c["field"] for c in answer.body["details"]["causes"]] == ["spec.paramRef.name", "spec.paramRef.selector"]


# What two walks over a text cost, multiplied: 4,000,000 for 20,000 characters, 250,000 for 5,000.
DEAR = "object.data.text.contains(object.data.text)"
OVER = "operation cancelled: actual cost limit exceeded"
BROKE = "validation failed due to running out of cost budget, no further validation rules will be run"


def test_an_expression_that_costs_too_much_is_ended(place: Place) -> None:
    place.validating({"validations": [{"expression": DEAR}]})
    assert place.create(text="a" * 20_000).message.endswith(f"expression '{DEAR}' resulted in error: {OVER}")


def test_a_variable_that_costs_too_much_fails(place: Place) -> None:
    variables = [{"name": "dear", "expression": DEAR}]
    place.validating({"variables": variables, "validations": [{"expression": "variables.dear"}]})
    told = place.create(text="a" * 20_000).message
    assert told.endswith(f'composited variable "dear" fails to evaluate: {OVER}')


@pytest.mark.parametrize(
    ("spec", "passes"),
    [
        ({"validations": [{"expression": DEAR}] * 39}, True),
        ({"validations": [{"expression": DEAR}] * 40}, False),
        ({"matchConditions": [{"name": f"n{i}", "expression": DEAR} for i in range(9)]}, True),
        ({"matchConditions": [{"name": f"n{i}", "expression": DEAR} for i in range(10)]}, False),
    ],
)
def test_expressions_share_a_budget(place: Place, spec: dict[str, Any], passes: bool) -> None:
    place.validating({"validations": [{"expression": "true"}], **spec})
    made = place.create(text="a" * 5_000)
    assert (made.status == 201, BROKE in made.message) == (passes, not passes)
