"""Flow control, runtime classes, signer names and admission rules: what is told of broken objects, word for word."""

import pytest

from fakeapi.strategies import (
    certificatesigningrequest,
    flowschema,
    prioritylevelconfiguration,
    runtimeclass,
    validatingadmissionpolicybinding,
    validatingwebhookconfiguration,
)
from fakeapi.strategies.base import Context

CTX = Context(now="2026-01-01T00:00:00Z")
GROUP = {"kind": "Group", "group": {"name": "g"}}
RESOURCE = {"verbs": ["get"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True}
RULE = "spec.rules[0]"
NO_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def told(module, fields, name="x"):
    obj = {"metadata": {"name": name, "namespace": "n"}, **fields}
    module.STRATEGY.default(obj)
    return [str(error) for error in module.STRATEGY.validate(obj, CTX)]


def rule_told(**fields):
    rule = {"subjects": [GROUP], "resourceRules": [RESOURCE], **fields}
    return told(flowschema, {"spec": {"priorityLevelConfiguration": {"name": "p"}, "rules": [rule]}})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        (
            {"subjects": [{"kind": "ServiceAccount", "serviceAccount": {"name": "*", "namespace": "A"}}]},
            [f'{RULE}.subjects[0].serviceAccount.namespace: Invalid value: "A": {NO_LABEL}'],
        ),
        (
            {"subjects": [{"kind": "ServiceAccount", "serviceAccount": {"name": "a"}}]},
            [
                f"{RULE}.subjects[0].serviceAccount.namespace: Required value: must specify namespace for service "
                "account"
            ],
        ),
        (
            {"subjects": [{**GROUP, "user": {"name": "u"}}]},
            [f"{RULE}.subjects[0].user: Forbidden: user is forbidden when subject kind is not 'User'"],
        ),
        (
            {"resourceRules": [{**RESOURCE, "verbs": ["*", "get"]}]},
            [
                f'{RULE}.resourceRules[0].verbs: Invalid value: ["*","get"]: '
                "if '*' is present, must not specify other verbs"
            ],
        ),
        (
            {"resourceRules": [{**RESOURCE, "namespaces": ["A"]}]},
            [
                f'{RULE}.resourceRules[0].namespaces[0]: Invalid value: "A": '
                f"each member of this list must be '*' or a DNS-1123 label; {NO_LABEL}"
            ],
        ),
        (
            {"resourceRules": [{**RESOURCE, "clusterScope": False}]},
            [
                f"{RULE}.resourceRules[0].namespaces: Required value: "
                "resource rules that are not cluster scoped must supply at least one namespace"
            ],
        ),
        ({"nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["*"]}]}, []),
    ],
)
def test_flow_schemas(fields, expected):
    assert rule_told(**fields) == expected


def limited(**queuing):
    return {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": queuing}}},
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (limited(), []),
        (
            limited(queues=64, handSize=20),
            [
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 20: "
                "required entropy bits of deckSize 64 and handSize 20 should not be greater than 60"
            ],
        ),
        (
            limited(queues=20_000_000),
            [
                "spec.limited.limitResponse.queuing.queues: Invalid value: 20000000: must not be greater than 10000000",
                "spec.limited.limitResponse.queuing.handSize: Invalid value: 8: "
                "required entropy bits of deckSize 20000000 and handSize 8 should not be greater than 60",
            ],
        ),
        (
            {"spec": {"type": "Exempt"}},
            ["spec.type: Invalid value: \"Exempt\": must be 'Exempt' if and only if `name` is 'exempt'"],
        ),
    ],
)
def test_priority_levels(fields, expected):
    found = told(prioritylevelconfiguration, fields)
    assert found[: len(expected)] == expected
    assert bool(found) is bool(expected)


def test_runtime_classes_tell_of_a_toleration_twice():
    same = {"key": "a", "operator": "Exists"}
    found = told(runtimeclass, {"handler": "h", "scheduling": {"tolerations": [same, dict(same)]}})
    assert len(found) == 1
    assert found[0].startswith("scheduling.tolerations[1]: Duplicate value: ")


@pytest.mark.parametrize(
    ("signer", "expected"),
    [
        (
            "kubernetes.io/legacy-unknown",
            'Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
        ),
        (
            "example/a",
            'Invalid value: "example": should be a domain with at least two segments separated by dots',
        ),
        (
            "example.com/a/b",
            'Invalid value: "example.com/a/b": '
            "must be a fully qualified domain and path of the form 'example.com/signer-name'",
        ),
        ("A.b/c", f'Invalid value: "A.b": validating label "A": {NO_LABEL}'),
    ],
)
def test_signer_names(signer, expected):
    found = told(certificatesigningrequest, {"spec": {"signerName": signer, "usages": ["client auth"]}})
    assert f"spec.signerName: {expected}" in found


def test_rules_tell_of_operations_first_and_bindings_misspell():
    hook = {
        "name": "a.b.c",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"url": "https://a"},
        "rules": [{}],
    }
    fields = ("operations", "apiGroups", "apiVersions", "resources")
    expected = [f"webhooks[0].rules[0].{field}: Required value" for field in fields]
    assert told(validatingwebhookconfiguration, {"webhooks": [hook]}) == expected
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
    match = {"resourceRules": [{**rule, "resourceNames": ["a", "a/b", "a"]}]}
    spec = {"policyName": "a.b", "validationActions": ["Deny"], "matchResources": match}
    at = "spec.matchResouces.resourceRules[0].resourceNames"
    assert told(validatingadmissionpolicybinding, {"spec": spec}) == [
        f"{at}[1]: Invalid value: \"a/b\": may not contain '/'",
        f'{at}[2]: Duplicate value: "a"',
    ]
