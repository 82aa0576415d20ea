"""Device claims, classes and slices, and statuses with conditions: what is told of broken objects, word for word."""

import copy

import pytest

from fakeapi.strategies import (
    apiservice,
    deviceclass,
    poddisruptionbudget,
    resourceclaim,
    resourceslice,
    validatingadmissionpolicy,
)
from fakeapi.strategies.base import Context

CTX = Context(now="2026-01-01T00:00:00Z")
EXACT = {"exactly": {"deviceClassName": "d.example.com"}}
REFERENCE = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
SLICE = {"driver": "d.example.com", "pool": {"name": "p", "resourceSliceCount": 1}, "allNodes": True}
PLACES = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
CONDITION = {"type": "A", "status": "True", "reason": "R", "lastTransitionTime": CTX.now}


def told(module, spec):
    obj = copy.deepcopy({"metadata": {"name": "x", "namespace": "n"}, "spec": spec})  # of a table
    module.STRATEGY.default(obj)
    return [str(error) for error in module.STRATEGY.validate(obj, CTX)]


def status_told(module, status, before=None, spec=None):
    new, old = ({"metadata": {"name": "x"}, "spec": spec or {}, "status": s} for s in (status, before or {}))
    return [str(error) for error in module.STRATEGY.validate_status(new, old, CTX)]


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ({"requests": [{"name": "r", **EXACT}]}, []),
        (
            {"requests": [{"name": "r", **EXACT}, {"name": "r", **EXACT}]},
            ['spec.devices.requests[1]: Duplicate value: "r"'],
        ),
        (
            {"requests": [{"name": f"r{i}", **EXACT} for i in range(33)]},
            ["spec.devices.requests: Too many: 33: must have at most 32 items"],
        ),
        (
            {
                "requests": [{"name": "r", "firstAvailable": [{"name": "a", "deviceClassName": "d"}]}],
                "constraints": [{"requests": ["r", "r/a", "r/b"], "matchAttribute": "d.example.com/x"}],
            },
            [f'spec.devices.constraints[0].requests[2]: Invalid value: "r/b": {REFERENCE}'],
        ),
        (
            {"requests": [{"name": "r", **EXACT}], "constraints": [{"matchAttribute": "x"}]},
            [
                'spec.devices.constraints[0].matchAttribute: Invalid value: "x": '
                "a fully qualified name must be a domain and a name separated by a slash"
            ],
        ),
        (
            {"requests": [{"name": "r", **EXACT}], "config": [{"opaque": {"driver": "d", "parameters": "x"}}]},
            ['spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object'],
        ),
        (
            {"requests": [{"name": "r", "exactly": {"deviceClassName": "d", "tolerations": [{"operator": "Foo"}]}}]},
            [
                'spec.devices.requests[0].exactly.tolerations[0].operator: Unsupported value: "Foo": '
                'supported values: "Equal", "Exists"'
            ],
        ),
    ],
)
def test_claims(devices, expected):
    assert told(resourceclaim, {"devices": devices}) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        (
            {"allNodes": False},
            [
                "spec.allNodes: Invalid value: false: must be either unset or set to true",
                f"spec: Required value: {PLACES}",
            ],
        ),
        (
            {"nodeName": "n"},
            [f'spec: Invalid value: "{{`nodeName`, `allNodes`}}": {PLACES}, but multiple fields are set'],
        ),
        (
            {"devices": [{"name": "a", "attributes": {"v": {"version": "1"}}}]},
            [
                'spec.devices[0].attributes[v].version: Invalid value: "1": '
                "must be a string compatible with semver.org spec 2.0.0"
            ],
        ),
        (
            {"devices": [{"name": "a", "attributes": {"a/b/c": {"int": 1}}}]},
            ['spec.devices[0].attributes: Invalid value: "a/b/c": must not contain more than one slash'],
        ),
        (
            {"devices": [{"name": "a", "capacity": {"m": {"value": "1", "requestPolicy": {}}}}]},
            ["spec.devices[0].capacity[m].requestPolicy: Forbidden: allowMultipleAllocations must be true"],
        ),
        (
            {"devices": [{"name": "a"}], "sharedCounters": [{"name": "c", "counters": {"x": {"value": "1"}}}]},
            ['spec: Invalid value: "": only one of `sharedCounters` or `devices` is allowed'],
        ),
    ],
)
def test_slices(fields, expected):
    assert told(resourceslice, SLICE | fields) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"default": "2", "validValues": ["2", "4"]}, []),
        ({"validValues": ["2"]}, ["default: Required value: required when validValues is defined"]),
        (
            {"default": "3", "validValues": ["4", "2", "11"]},
            [
                'validValues[1]: Invalid value: "2": values must be sorted in ascending order',
                'validValues[2]: Invalid value: "11": option is larger than capacity value: 10',
                'validValues: Invalid value: "3": default value is not valid according to the requestPolicy',
            ],
        ),
        ({"default": "4", "validRange": {"min": "2", "max": "8", "step": "2"}}, []),
        (
            {"default": "5", "validRange": {"min": "2", "step": "2"}},
            ['validRange.step: Invalid value: "5": value is not a multiple of a given step (2) from (2)'],
        ),
        ({"default": "5", "validRange": {}}, ["validRange.min: Required value: required when validRange is defined"]),
    ],
)
def test_what_requests_of_a_capacity_may_ask_for(policy, expected):
    device = {
        "name": "a",
        "allowMultipleAllocations": True,
        "capacity": {"m": {"value": "10", "requestPolicy": policy}},
    }
    at = "spec.devices[0].capacity[m].requestPolicy"
    assert told(resourceslice, SLICE | {"devices": [device]}) == [f"{at}.{text}" for text in expected]


def test_classes_name_extended_resources():
    text = 'spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource name'
    assert told(deviceclass, {"extendedResourceName": "cpu"}) == [text]
    assert told(deviceclass, {"extendedResourceName": "example.com/gpu"}) == []


def test_slices_warn_of_drivers_in_upper_case():
    warned = resourceslice.STRATEGY.warnings({"spec": {"driver": "D.example.com"}}, None, CTX)
    assert warned == ['spec.driver: driver names should be lowercase; "D.example.com" contains uppercase characters']


RESULT = {"request": "r", "driver": "d.example.com", "pool": "p", "device": "g"}
CLAIM = {"devices": {"requests": [{"name": "r", **EXACT}]}}
USER = {"resource": "pods", "name": "a", "uid": "u"}


@pytest.mark.parametrize(
    ("status", "before", "expected"),
    [
        ({"allocation": {"devices": {"results": [RESULT]}}, "reservedFor": [USER]}, {}, []),
        (
            {"reservedFor": [USER]},
            {},
            ["status.reservedFor: Forbidden: may not be specified when `allocated` is not set"],
        ),
        (
            {"allocation": {"devices": {"results": [RESULT | {"request": "q"}]}}},
            {},
            [f'status.allocation.devices.results[0].request: Invalid value: "q": {REFERENCE}'],
        ),
        (
            {"allocation": {"devices": {}}},
            {"allocation": {"devices": {"results": [RESULT]}}},
            ['status.allocation: Invalid value: {"devices":{}}: field is immutable'],
        ),
    ],
)
def test_statuses_of_claims(status, before, expected):
    assert status_told(resourceclaim, status, before, CLAIM) == expected


def test_statuses_of_devices_go_with_the_allocation():
    own = {k: v for k, v in RESULT.items() if k != "request"}
    new, old = (
        {"metadata": {"name": "x"}, "spec": CLAIM, "status": s}
        for s in ({"devices": [own]}, {"allocation": {"devices": {"results": [RESULT]}}, "devices": [own]})
    )
    resourceclaim.STRATEGY.prepare_status(new, old, CTX)
    assert new["status"]["devices"] == []


@pytest.mark.parametrize("module", [poddisruptionbudget, validatingadmissionpolicy])
def test_conditions_are_checked(module):
    assert status_told(module, {"conditions": [CONDITION]}) == []
    at = "status.conditions[1]"
    assert status_told(module, {"conditions": [CONDITION, {"type": "A", "observedGeneration": -1, "reason": "R"}]}) == [
        f'{at}.type: Duplicate value: "A"',
        f'{at}.status: Unsupported value: "": supported values: "False", "True", "Unknown"',
        f"{at}.observedGeneration: Invalid value: -1: must be greater than or equal to zero",
        f"{at}.lastTransitionTime: Required value: must be set",
    ]


def test_conditions_of_api_services():
    found = status_told(apiservice, {"conditions": [{"type": "Available", "status": "Maybe"}]})
    text = 'Unsupported value: "Maybe": supported values: "True", "False", "Unknown"'
    assert found == [f"status.conditions[0].status: {text}"]
