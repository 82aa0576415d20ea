"""PATCH requests: what is refused around the patch itself."""

from __future__ import annotations

import pytest

from tests.fakeapi.inprocess import ADMIN, in_process, reply

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(scope="module")
def api():
    with in_process() as server:
        assert server.ask("POST", CONFIGMAPS, {"metadata": {"name": "c"}, "data": {"a": "1"}}).status == 201
        yield server


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"kind": "Secret", "data": {"a": "3"}}, "illegal base64 data at input byte 0"),
        ({"kind": "Secret", "data": None}, "converting (v1.Secret) to (core.ConfigMap): unknown conversion"),
        (
            {"kind": "Nothing"},
            'no kind "Nothing" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
        ),
    ],
)
def test_a_patch_that_changes_the_kind(api, patch, why):
    found = api.ask("PATCH", f"{CONFIGMAPS}/c", patch)
    assert found.status == 422
    assert found.message.startswith(' "" is invalid: patch: Invalid value: "{')
    assert found.message.endswith(why)


def test_an_apply_of_what_is_not_there_must_not_know_a_uid(api):
    body = (
        b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","uid":"11111111-2222-3333-4444-555555555555"}}'
    )
    headers = {"content-type": "application/apply-patch+yaml"}
    path = f"{CONFIGMAPS}/x?fieldManager=m"
    found = reply(api.run(lambda: api.server.call("PATCH", path, headers, body, ADMIN)))
    assert (found.status, found.body["reason"]) == (409, "Conflict")
    assert found.message == (
        'Operation cannot be fulfilled on configmaps "x": uid mismatch: the provided object specified uid '
        "11111111-2222-3333-4444-555555555555, and no existing object was found"
    )
    assert api.ask("GET", f"{CONFIGMAPS}/x").status == 404
