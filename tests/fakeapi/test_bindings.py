"""Bindings, evictions and token requests: what every create is held to holds for them too."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakeapi.inprocess import in_process

PODS = "/api/v1/namespaces/default/pods"
BINDING = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
TOKEN: dict[str, Any] = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {}, "spec": {}}
ELSEWHERE = "the namespace of the provided object does not match the namespace sent on the request"
DRY = 'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["x"]: supported values: "All"'
NAMELESS = {"apiVersion": "v1", "kind": "Pod"}


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        (f"{PODS}/p/binding", {**BINDING, "metadata": {"name": "p", "namespace": "other"}}, 400, ELSEWHERE),
        (f"{PODS}/p/binding?dryRun=x", BINDING, 422, DRY),
        ("/api/v1/namespaces/default/bindings", {**BINDING, "metadata": {}}, 400, "Name parameter required."),
        (f"{PODS}/p/eviction", {**EVICTION, "metadata": {"name": "p", "namespace": "other"}}, 400, ELSEWHERE),
        (f"{PODS}/p/eviction?dryRun=x", EVICTION, 422, DRY),
        ("/token", {**TOKEN, "metadata": {"namespace": "other"}}, 400, ELSEWHERE),
        ("/token", {**TOKEN, "spec": {"boundObjectRef": NAMELESS}}, 400, "Name parameter required."),
    ],
)
def test_refusals(path: str, body: dict[str, Any], status: int, message: str) -> None:
    path = "/api/v1/namespaces/default/serviceaccounts/a/token" if path == "/token" else path
    with in_process() as api:
        api.ask("POST", PODS, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
        api.ask("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "a"}})
        refused = api.ask("POST", path, body)
    assert (refused.status, refused.message) == (status, message)
