"""kubectl apply in all its forms, and the commands that live off patches: set, edit, replace, patch, restart."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.manifests import CONFIG, deployment
from tests.e2e.processes import Kubectl

INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}, {name: admin, port: 81}]}
"""
CONTAINER = "{.spec.template.spec.containers[0]"


def labelled(name: str) -> str:
    """A ConfigMap of the set that is pruned."""
    return CONFIG.replace("{name: settings}", f"{{name: {name}, labels: {{set: one}}}}")


def editor(directory: Path, script: str) -> dict[str, str]:
    """The environment in which kubectl edits a file by this sed script."""
    path = directory / "editor"
    path.write_text(f"#!/bin/sh\nsed -i '{script}' \"$1\"\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return {"KUBE_EDITOR": str(path)}


def live(kubectl: Kubectl, resource: str, *arguments: str) -> dict[str, Any]:
    """The object as it is."""
    found: dict[str, Any] = json.loads(kubectl("get", resource, "-o", "json", *arguments).stdout)
    return found


def owners(kubectl: Kubectl, resource: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """managedFields by manager, operation and subresource."""
    entries = live(kubectl, resource, "--show-managed-fields")["metadata"]["managedFields"]
    return {(e["manager"], e["operation"], e.get("subresource", "")): e["fieldsV1"] for e in entries}


def test_prune_deletes_what_left_the_set(kubectl: Kubectl) -> None:
    both = "---\n".join(labelled(name) for name in ("one", "two"))
    kubectl("apply", "-f", "-", stdin=both + "---\n" + CONFIG)
    said = kubectl("apply", "--prune", "-l", "set=one", "-f", "-", stdin=labelled("one")).stdout
    assert said.splitlines() == ["configmap/one unchanged", "configmap/two pruned"]
    assert "settings" in kubectl("get", "configmaps", "-o", "name").stdout


def test_an_apply_set_prunes_by_its_parent(kubectl: Kubectl) -> None:
    both = "---\n".join(CONFIG.replace("settings", name) for name in ("one", "two"))
    arguments = ("apply", "--prune", "--applyset=secrets/mine", "-f", "-")
    env = {"KUBECTL_APPLYSET": "true"}
    kubectl(*arguments, stdin=both, env=env)
    said = kubectl(*arguments, stdin=CONFIG.replace("settings", "one"), env=env).stdout
    assert said.splitlines() == ["configmap/one unchanged", "configmap/two pruned"]


def test_a_field_that_left_the_manifest_goes_and_others_of_the_list_stay(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=SERVICE)
    kubectl("patch", "service", "web", "-p", '{"spec":{"ports":[{"name":"theirs","port":82}]}}')
    kubectl("apply", "-f", "-", stdin=SERVICE.replace(", {name: admin, port: 81}", ""))
    assert sorted(kubectl.jsonpath("service/web", "{.spec.ports[*].name}").split()) == ["http", "theirs"]


def test_apply_of_a_whole_directory_in_one_call(kubectl: Kubectl, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG)
    (tmp_path / "b.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [live(kubectl, "serviceaccount/default")]})
    )
    (tmp_path / "c.yaml").write_text(SERVICE)
    said = kubectl("apply", "-f", str(tmp_path)).stdout.split()
    assert said[0::2] == ["configmap/settings", "serviceaccount/default", "service/web"]


def test_server_side_takes_over_what_apply_had(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=CONFIG)
    assert ("kubectl-client-side-apply", "Update", "") in owners(kubectl, "configmap/settings")
    kubectl("apply", "--server-side", "-f", "-", stdin=CONFIG.replace(", size: small", ""))
    assert owners(kubectl, "configmap/settings").keys() == {
        ("kubectl", "Apply", ""),
        ("kubectl-last-applied", "Apply", ""),
    }
    assert live(kubectl, "configmap/settings")["data"] == {"color": "blue"}


def test_server_side_conflict_names_the_fields_and_force_takes_them(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    kubectl(*apply, stdin=deployment())
    kubectl("set", "image", "deployment/web", "main=nginx:2", "--field-manager=setter")
    refused = kubectl(*apply, stdin=deployment(image="nginx:3"), status=1).stderr
    assert 'conflict with "setter" using apps/v1: .spec.template.spec.containers[name="main"].image' in refused
    assert kubectl.jsonpath("deployment/web", CONTAINER + ".image}") == "nginx:2"
    kubectl(*apply, "--force-conflicts", stdin=deployment(image="nginx:3"))
    assert kubectl.jsonpath("deployment/web", CONTAINER + ".image}") == "nginx:3"
    assert ("setter", "Update", "") not in owners(kubectl, "deployment/web")


def test_server_side_again_changes_nothing(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    kubectl(*apply, stdin=SERVICE)
    before = live(kubectl, "service/web", "--show-managed-fields")
    kubectl(*apply, stdin=SERVICE)
    assert live(kubectl, "service/web", "--show-managed-fields") == before


def test_server_side_diff_and_dry_run_change_nothing(kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "-f", "-", stdin=CONFIG)
    red = CONFIG.replace("blue", "red")
    assert "+  color: red" in kubectl("diff", "--server-side", "-f", "-", stdin=red, status=1).stdout
    for arguments in (("--server-side",), ()):
        said = kubectl("apply", *arguments, "--dry-run=server", "-o", "jsonpath={.data.color}", "-f", "-", stdin=red)
        assert said.stdout == "red"
    assert "created (server dry run)" in kubectl("create", "--dry-run=server", "-f", "-", stdin=SERVICE).stdout
    assert "deleted" in kubectl("delete", "--dry-run=server", "configmap", "settings").stdout
    assert live(kubectl, "configmap/settings")["data"]["color"] == "blue"
    assert kubectl("get", "services", "-o", "name").stdout == ""


def test_a_dry_run_is_validated(kubectl: Kubectl) -> None:
    wrong = SERVICE.replace("port: 80", "port: 70000")
    refused = kubectl("apply", "--dry-run=server", "-f", "-", stdin=wrong, status=1).stderr
    assert "spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive" in refused


def test_last_applied_is_viewed_set_and_edited(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("create", "-f", "-", stdin=CONFIG)
    manifest = tmp_path / "settings.yaml"
    manifest.write_text(CONFIG.replace("blue", "red"))
    last = ("apply", "view-last-applied", "configmap/settings", "-o", "json")
    assert kubectl(*last).stdout == ""
    refused = kubectl("apply", "set-last-applied", "-f", str(manifest), status=1).stderr
    assert "--create-annotation" in refused
    kubectl("apply", "set-last-applied", "--create-annotation", "-f", str(manifest))
    assert json.loads(kubectl(*last).stdout)["data"] == {"color": "red", "size": "small"}
    kubectl("apply", "edit-last-applied", "configmap/settings", env=editor(tmp_path, "s/red/green/"))
    assert json.loads(kubectl(*last).stdout)["data"]["color"] == "green"
    assert live(kubectl, "configmap/settings")["data"]["color"] == "blue"
    kubectl("apply", "-f", "-", stdin=CONFIG.replace("color: blue, ", ""))
    assert live(kubectl, "configmap/settings")["data"] == {"size": "small"}


def test_an_edit_that_the_server_refuses_keeps_the_file(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("apply", "-f", "-", stdin=SERVICE)
    refused = kubectl("edit", "service", "web", env=editor(tmp_path, "s/port: 80$/port: 70000/"), status=1).stderr
    assert 'services "web" is invalid' in refused
    assert 'A copy of your changes has been stored to "' in refused
    assert live(kubectl, "service/web")["spec"]["ports"][0]["port"] == 80


@pytest.mark.parametrize(
    ("arguments", "path", "value"),
    [
        (("image", "main=nginx:9"), ".image}", "nginx:9"),
        (("image", "*=nginx:8"), ".image}", "nginx:8"),
        (("env", "COLOR=red", "SIZE=1"), ".env[*].name}", "COLOR SIZE"),
        (("env", "--from=configmap/settings"), ".env[*].valueFrom.configMapKeyRef.key}", "color size"),
        (("resources", "--limits=cpu=200m,memory=1Gi"), ".resources.limits}", '{"cpu":"200m","memory":"1Gi"}'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_set(kubectl: Kubectl, arguments: tuple[str, ...], path: str, value: str) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=0) + "---\n" + CONFIG)
    kubectl("set", arguments[0], "deployment/web", *arguments[1:])
    # kubectl takes a ConfigMap's keys in the order of a Go map: any.
    assert sorted(kubectl.jsonpath("deployment/web", CONTAINER + path).split()) == sorted(value.split())


def test_set_env_removes_and_selectors_and_accounts_are_set(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=0) + "---\n" + SERVICE)
    kubectl("set", "env", "deployment/web", "COLOR=red", "SIZE=1")
    kubectl("set", "env", "deployment/web", "COLOR-")
    assert kubectl.jsonpath("deployment/web", CONTAINER + ".env[*].name}") == "SIZE"
    kubectl("set", "serviceaccount", "deployment/web", "robot")
    assert (
        kubectl.jsonpath("deployment/web", "{.spec.template.spec['serviceAccountName','serviceAccount']}")
        == "robot robot"
    )
    kubectl("set", "selector", "service/web", "app=other")
    assert live(kubectl, "service/web")["spec"]["selector"] == {"app": "other"}


def test_rollout_restart_replaces_the_pods_and_owns_the_annotation(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=deployment(replicas=1))
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    before = kubectl("get", "pods", "-o", "name").stdout
    assert kubectl("rollout", "restart", "deployment/web").stdout.strip() == "deployment.apps/web restarted"
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    kubectl("wait", "--for=delete", before.strip(), "--timeout=90s")
    assert "kubectl.kubernetes.io/restartedAt" in kubectl.jsonpath(
        "deployment/web", "{.spec.template.metadata.annotations}"
    )
    annotations = owners(kubectl, "deployment/web")["kubectl-rollout", "Update", ""]["f:spec"]["f:template"][
        "f:metadata"
    ]
    assert "f:kubectl.kubernetes.io/restartedAt" in annotations["f:annotations"]


def test_replace_and_its_force(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=deployment(replicas=0))
    kubectl("replace", "-f", "-", stdin=deployment(replicas=0, image="nginx:5"))
    assert kubectl.jsonpath("deployment/web", CONTAINER + ".image}") == "nginx:5"
    uid = kubectl.jsonpath("deployment/web", "{.metadata.uid}")
    moved = deployment(replicas=0).replace("{app: web}", "{app: moved}")
    assert "field is immutable" in kubectl("replace", "-f", "-", stdin=moved, status=1).stderr
    assert "replaced" in kubectl("replace", "--force", "-f", "-", stdin=moved).stdout
    assert kubectl.jsonpath("deployment/web", "{.metadata.uid}") != uid
    other = CONFIG.replace("settings", "absent")
    assert 'configmaps "absent" not found' in kubectl("replace", "-f", "-", stdin=other, status=1).stderr


def test_replace_of_status_leaves_the_rest(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=INGRESS)
    other = INGRESS.replace("number: 80", "number: 81") + 'status: {loadBalancer: {ingress: [{ip: "10.9.8.7"}]}}\n'
    kubectl("replace", "--subresource=status", "-f", "-", stdin=other)
    found = live(kubectl, "ingress/web")
    assert found["spec"]["defaultBackend"]["service"]["port"] == {"number": 80}
    assert found["status"]["loadBalancer"] == {"ingress": [{"ip": "10.9.8.7"}]}


SUBRESOURCES = [
    ("json", '[{"op":"add","path":"/status/loadBalancer/ingress","value":[{"ip":"10.9.8.7"}]}]'),
    ("merge", '{"status":{"loadBalancer":{"ingress":[{"ip":"10.9.8.7"}]}}}'),
    ("strategic", '{"status":{"loadBalancer":{"ingress":[{"ip":"10.9.8.7"}]}}}'),
]


@pytest.mark.parametrize(("kind", "patch"), SUBRESOURCES, ids=[row[0] for row in SUBRESOURCES])
def test_patch_of_status(kubectl: Kubectl, kind: str, patch: str) -> None:
    kubectl("apply", "-f", "-", stdin=INGRESS)
    answer = kubectl("patch", "ingress", "web", "--subresource=status", f"--type={kind}", "-p", patch, "-o", "json")
    assert json.loads(answer.stdout)["status"] == {"loadBalancer": {"ingress": [{"ip": "10.9.8.7"}]}}
    assert ("kubectl-patch", "Update", "status") in owners(kubectl, "ingress/web")


@pytest.mark.parametrize(
    ("kind", "patch", "message"),
    [
        ("json", '[{"op":"test","path":"/data/color","value":"red"}]', "the server rejected our request"),
        ("json", '[{"op":"remove","path":"/data/nothing"}]', "the server rejected our request"),
        ("merge", '{"metadata":{"name":"other"}}', "the name of the object (other) does not match the name on the URL"),
        ("strategic", '{"data":{"color":["list"]}}', "unrecognized type: string"),
        ("merge", '{"metadata":{"resourceVersion":"1"}}', "the object has been modified"),
    ],
)
def test_a_patch_that_cannot_be(kubectl: Kubectl, kind: str, patch: str, message: str) -> None:
    kubectl("create", "-f", "-", stdin=CONFIG)
    refused = kubectl("patch", "configmap", "settings", f"--type={kind}", "-p", patch, status=1).stderr
    assert message in refused
    assert live(kubectl, "configmap/settings")["data"]["color"] == "blue"


def test_managed_fields_are_shown_only_when_asked_for(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=CONFIG)
    assert "managedFields" not in kubectl("get", "configmap", "settings", "-o", "yaml").stdout
    assert owners(kubectl, "configmap/settings").keys() == {("kubectl-create", "Update", "")}
    kubectl("label", "configmap", "settings", "a=b")
    assert owners(kubectl, "configmap/settings")["kubectl-label", "Update", ""] == {
        "f:metadata": {"f:labels": {".": {}, "f:a": {}}}
    }
