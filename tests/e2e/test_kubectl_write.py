"""kubectl's commands that change objects: apply, diff, edit, label, annotate, patch, create, replace, delete."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.e2e.manifests import CONFIG, deployment
from tests.e2e.processes import Kubectl


def test_apply_creates_changes_and_says_when_nothing_changes(kubectl: Kubectl) -> None:
    texts = [
        kubectl("apply", "-f", "-", stdin=text).stdout.strip()
        for text in (CONFIG, CONFIG, CONFIG.replace("blue", "red"))
    ]
    assert texts == ["configmap/settings created", "configmap/settings unchanged", "configmap/settings configured"]
    assert kubectl.jsonpath("configmap/settings", "{.data.color}") == "red"


def test_apply_removes_what_the_manifest_no_longer_holds(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=CONFIG)
    kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"data":{"theirs":"kept"}}')
    kubectl("apply", "-f", "-", stdin=CONFIG.replace(", size: small", ""))
    assert json.loads(kubectl.jsonpath("configmap/settings", "{.data}")) == {"color": "blue", "theirs": "kept"}


def test_apply_merges_lists_by_their_keys(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment())
    kubectl("set", "env", "deployment/web", "COLOR=blue")
    kubectl("apply", "-f", "-", stdin=deployment(image="nginx:2"))
    assert (
        kubectl.jsonpath("deployment/web", "{.spec.template.spec.containers[0]['image','env']}")
        == 'nginx:2 [{"name":"COLOR","value":"blue"}]'
    )


def test_apply_server_side_owns_fields_and_refuses_those_of_others(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert kubectl(*apply, stdin=CONFIG).stdout.strip() == "configmap/settings serverside-applied"
    other = ("--field-manager=other",)
    refused = kubectl(*apply, *other, stdin=CONFIG.replace("blue", "red"), status=1).stderr
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .data.color' in refused
    kubectl(*apply, *other, "--force-conflicts", stdin=CONFIG.replace("blue", "red"))
    entries = json.loads(kubectl("get", "configmap", "settings", "-o", "json", "--show-managed-fields").stdout)[
        "metadata"
    ]["managedFields"]
    owners = {entry["manager"]: sorted(entry["fieldsV1"]["f:data"]) for entry in entries}
    assert owners == {"kubectl": [".", "f:size"], "other": [".", "f:color", "f:size"]} or owners == {
        "kubectl": ["f:size"],
        "other": ["f:color", "f:size"],
    }


def test_diff_shows_the_change_and_makes_none(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=CONFIG)
    assert kubectl("diff", "-f", "-", stdin=CONFIG).stdout == ""
    changes = [
        line
        for line in kubectl("diff", "-f", "-", stdin=CONFIG.replace("blue", "red"), status=1).stdout.splitlines()
        if "color" in line
    ]
    assert changes == ["-  color: blue", "+  color: red"]
    assert kubectl.jsonpath("configmap/settings", "{.data.color}") == "blue"


def test_edit_opens_the_object_and_stores_what_the_editor_leaves(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("apply", "-f", "-", stdin=CONFIG)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/blue/green/ "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    assert (
        kubectl("edit", "configmap", "settings", env={"EDITOR": str(editor)}).stdout.strip()
        == "configmap/settings edited"
    )
    assert kubectl.jsonpath("configmap/settings", "{.data.color}") == "green"
    editor.write_text("#!/bin/sh\nexit 0\n")
    assert "cancelled, no changes made" in kubectl("edit", "configmap", "settings", env={"EDITOR": str(editor)}).stderr


@pytest.mark.parametrize(("verb", "field"), [("label", "labels"), ("annotate", "annotations")])
def test_label_and_annotate_add_refuse_overwrite_and_remove(kubectl: Kubectl, verb: str, field: str) -> None:
    kubectl("create", "configmap", "settings")
    kubectl(verb, "configmap", "settings", "tier=front")
    assert "--overwrite is false" in kubectl(verb, "configmap", "settings", "tier=back", status=1).stderr
    kubectl(verb, "configmap", "settings", "tier=back", "--overwrite")
    assert json.loads(kubectl.jsonpath("configmap/settings", f"{{.metadata.{field}}}")) == {"tier": "back"}
    kubectl(verb, "configmap", "settings", "tier-")
    assert kubectl.jsonpath("configmap/settings", f"{{.metadata.{field}}}") == ""


PATCHES = [
    (
        "json",
        '[{"op":"replace","path":"/spec/replicas","value":3},{"op":"test","path":"/kind","value":"Deployment"}]',
        "3",
        "main",
    ),
    (
        "merge",
        '{"spec":{"replicas":4,"template":{"spec":{"containers":[{"name":"other","image":"b"}]}}}}',
        "4",
        "other",
    ),
    (
        "strategic",
        '{"spec":{"replicas":5,"template":{"spec":{"containers":[{"name":"other","image":"b"}]}}}}',
        "5",
        "other main",
    ),
]


@pytest.mark.parametrize(("kind", "patch", "replicas", "containers"), PATCHES, ids=[row[0] for row in PATCHES])
def test_patch(kubectl: Kubectl, kind: str, patch: str, replicas: str, containers: str) -> None:
    kubectl("apply", "-f", "-", stdin=deployment())
    assert (
        kubectl("patch", "deployment", "web", f"--type={kind}", "-p", patch).stdout.strip()
        == "deployment.apps/web patched"
    )
    assert kubectl.jsonpath("deployment/web", "{.spec.replicas}") == replicas
    assert kubectl.jsonpath("deployment/web", "{.spec.template.spec.containers[*].name}") == containers


def test_patch_of_a_subresource(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=0))
    kubectl("patch", "deployment", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":1}}')
    assert kubectl.jsonpath("deployment/web", "{.spec.replicas}") == "1"


def test_create_tells_what_is_there_already_and_what_is_invalid(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=CONFIG)
    assert kubectl("create", "-f", "-", stdin=CONFIG, status=1).stderr == (
        'Error from server (AlreadyExists): error when creating "STDIN": configmaps "settings" already exists\n'
    )
    invalid = kubectl("create", "-f", "-", stdin=deployment(name="Web"), status=1).stderr
    assert (
        'The Deployment "Web" is invalid: metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain'
        in invalid
    )
    unknown = kubectl("create", "-f", "-", stdin=CONFIG.replace("data:", "dato:"), status=1).stderr
    assert 'unknown field "dato"' in unknown


def test_replace_needs_the_current_version(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=CONFIG)
    stale = kubectl("get", "configmap", "settings", "-o", "json").stdout
    kubectl("label", "configmap", "settings", "a=b")
    refused = kubectl("replace", "-f", "-", stdin=stale, status=1).stderr
    assert "the object has been modified; please apply your changes to the latest version and try again" in refused
    kubectl("replace", "--force", "-f", "-", stdin=CONFIG)
    assert kubectl.jsonpath("configmap/settings", "{.metadata.labels}") == ""


def test_delete_by_selector_waits_until_the_objects_are_gone(kubectl: Kubectl) -> None:
    kubectl("run", "one", "--image=nginx", "--labels=run=x")
    kubectl("run", "two", "--image=nginx", "--labels=run=x")
    kubectl("wait", "--for=condition=Ready", "pod", "-l", "run=x", "--timeout=90s")
    kubectl("delete", "pods", "-l", "run=x", "--grace-period=1")
    assert "No resources found" in kubectl("get", "pods").stderr
    assert kubectl("get", "pod", "one", status=1).stderr == 'Error from server (NotFound): pods "one" not found\n'
