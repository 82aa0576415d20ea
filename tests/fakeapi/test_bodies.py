"""What is said of bodies of another version or kind, of keys that are there twice, of text that is no JSON."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest

from tests.fakeapi.inprocess import ADMIN, InProcess, in_process

SCHEME = 'in scheme "pkg/api/legacyscheme/scheme.go:30"'


@pytest.fixture(scope="module")
def server() -> Iterator[InProcess]:
    with in_process() as started:
        yield started


def told(server: InProcess, path: str, body: bytes, kind: str = "application/json") -> str:
    answer = server.run(lambda: server.server.call("POST", path, {"content-type": kind}, body, ADMIN))
    assert answer.status == 400
    return str(orjson.loads(answer.body)["message"])


@pytest.mark.parametrize(
    ("path", "version", "kind"),
    [
        ("apps/v1/{}/deployments", "apps/v1beta1", "Deployment"),
        ("apps/v1/{}/deployments", "extensions/v1beta1", "Deployment"),
        ("batch/v1/{}/cronjobs", "batch/v1beta1", "CronJob"),
        ("events.k8s.io/v1/{}/events", "v1", "Event"),
        ("networking.k8s.io/v1/{}/ingresses", "extensions/v1beta1", "Ingress"),
        ("policy/v1/{}/poddisruptionbudgets", "policy/v1beta1", "PodDisruptionBudget"),
    ],
)
def test_versions_that_are_not_served_are_read_and_refused(
    server: InProcess, path: str, version: str, kind: str
) -> None:
    body = orjson.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": "a"}})
    expected = "/".join(path.split("/")[:2])
    text = f"the API version in the data ({version}) does not match the expected API version ({expected})"
    assert told(server, "/apis/" + path.format("namespaces/default"), body) == text


@pytest.mark.parametrize("version", ["v1", "apps/v9", "batch/v1"])
def test_kinds_that_nobody_knows(server: InProcess, version: str) -> None:
    body = orjson.dumps({"apiVersion": version, "kind": "Deployment"})
    assert told(server, "/apis/apps/v1/namespaces/default/deployments", body) == (
        f'Deployment in version "{version.rpartition("/")[2]}" cannot be handled as a Deployment: '
        f'no kind "Deployment" is registered for version "{version}" {SCHEME}'
    )


def test_strict_yaml_tells_of_all(server: InProcess) -> None:
    body = b"metadata: {name: a}\ndata:\n  a: b\n  a: c\nfoo: 1\n"
    path = "/api/v1/namespaces/default/configmaps?fieldValidation=Strict"
    assert told(server, path, body, "application/yaml") == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        'yaml: unmarshal errors:\n  line 4: key "a" already set in map, unknown field "foo"'
    )


@pytest.mark.parametrize(("body", "char"), [(b"\xef\xbb\xbf{}", "ï"), ("é".encode(), "Ã"), (b"'", "\\'")])
def test_broken_json_is_told_of_by_bytes(server: InProcess, body: bytes, char: str) -> None:
    text = told(server, "/api/v1/namespaces/default/configmaps", body)
    assert f"json parse error: invalid character '{char}' looking for beginning of value" in text
