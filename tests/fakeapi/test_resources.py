"""The resource table: what each minor serves, look-ups, run-time rows, and the document made from it."""

import re
import runpy
from pathlib import Path

import pytest

from fakeapi import strategies
from fakeapi.priority import PRIORITIES
from fakeapi.resources import ROWS
from fakeapi.resources.base import Resource, Served, status
from fakeapi.resources.table import Table, builtin
from fakeapi.schema.definitions import MINORS, load

# Kinds with a stable definition that have no resource of their own: subresources' and discovery's.
NO_RESOURCE = {"TokenRequest", "Scale", "Eviction", "APIGroup", "APIVersions", "Status"}


@pytest.mark.parametrize("minor", MINORS)
def test_each_minor_serves_exactly_its_stable_kinds_and_no_more_than_it_defines(minor):
    definitions = load(minor)
    served = {(row.group, version, row.kind) for row in builtin(minor).rows() for version in row.served(minor)}
    names = {f"{row.definition}.{v}.{row.kind}" for row in builtin(minor).rows() for v in row.served(minor)}
    stable = {
        (gvk["group"], gvk["version"], gvk["kind"])
        for name in definitions.names()
        if len(gvks := definitions.openapi(name).get("x-kubernetes-group-version-kind", ())) == 1
        for gvk in gvks
        if not gvk["kind"].endswith("List") and gvk["kind"] not in NO_RESOURCE
        if "alpha" not in gvk["version"] and "beta" not in gvk["version"]
    }
    assert names <= set(definitions.names())
    assert stable <= served
    assert all(row.storage_version in set(row.served(minor)) for row in builtin(minor).rows())


@pytest.mark.parametrize(
    ("minor", "group", "versions"),
    [
        (25, "autoscaling", ["v2", "v1", "v2beta2"]),
        (26, "autoscaling", ["v2", "v1"]),
        (25, "flowcontrol.apiserver.k8s.io", ["v1beta2", "v1beta1"]),
        (28, "flowcontrol.apiserver.k8s.io", ["v1beta3", "v1beta2"]),
        (29, "flowcontrol.apiserver.k8s.io", ["v1", "v1beta3"]),
        (32, "flowcontrol.apiserver.k8s.io", ["v1"]),
        (33, "resource.k8s.io", []),
        (34, "resource.k8s.io", ["v1"]),
        (36, "storagemigration.k8s.io", []),
        (37, "storagemigration.k8s.io", ["v1"]),
    ],
)
def test_versions_of_a_group_by_minor(minor, group, versions):
    assert builtin(minor).versions(group) == versions


@pytest.mark.parametrize(
    ("minor", "kind", "present"),
    [
        (35, ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"), False),
        (36, ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"), True),
        (29, ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"), False),
        (32, ("networking.k8s.io", "ServiceCIDR"), False),
        (36, ("certificates.k8s.io", "PodCertificateRequest"), False),
        (37, ("certificates.k8s.io", "PodCertificateRequest"), True),
    ],
)
def test_kinds_come_and_go(minor, kind, present):
    assert (builtin(minor).by_kind(kind[0], "v1", kind[1]) is not None) is present


def test_subresources_younger_than_the_minor_are_gone():
    assert builtin(32).find("", "v1", "pods").subresource("resize") is None
    assert builtin(33).find("", "v1", "pods").subresource("resize") is not None


def test_storage_keys_are_upstreams():
    rows = {(row.group, row.plural): row.storage_key for row in ROWS}
    assert rows["", "services"] == "services/specs"
    assert rows["", "nodes"] == "minions"
    assert rows["networking.k8s.io", "ingresses"] == "ingress"
    assert rows["apps", "deployments"] == "deployments"
    assert rows["", "events"] == rows["events.k8s.io", "events"] == "events"


def test_every_group_version_has_a_priority():
    missing = {
        (row.group, v.version) for row in ROWS for v in row.versions if v.version not in PRIORITIES[row.group][1]
    }
    assert not missing


def widgets(*versions):
    return Resource(
        group="example.com",
        kind="Widget",
        plural="widgets",
        versions=tuple(map(Served, versions)),
        subresources=(status("Widget"),),
    )


def test_rows_come_and_go_at_run_time():
    table = builtin(36)
    before, first, second = table.generation, widgets("v1"), widgets("v1beta1", "v2", "v10", "foo")
    table.add(first)
    assert table.find("example.com", "v1", "widgets") is first is table.by_kind("example.com", "v1", "Widget")
    assert (first.singular, first.list_kind, first.storage_key) == ("widget", "WidgetList", "widgets")
    assert table.groups()[-1] == "example.com"
    table.remove(first)
    table.add(second)
    assert table.find("example.com", "v1", "widgets") is None
    assert table.versions("example.com") == ["v10", "v2", "v1beta1", "foo"]
    table.remove(second)
    assert "example.com" not in table.groups()
    assert table.generation > before + 3


def test_adding_a_row_again_replaces_it():
    table = Table(36, [widgets("v1", "v2")])
    table.add(again := widgets("v2"))
    assert table.versions("example.com") == ["v2"]
    assert list(table.rows()) == [again]


def test_older_priority_levels_call_their_shares_otherwise():
    row = builtin(26).find("flowcontrol.apiserver.k8s.io", "v1beta2", "prioritylevelconfigurations")
    to_hub, from_hub = row.convert["v1beta2"]
    old = {"spec": {"type": "Limited", "limited": {"assuredConcurrencyShares": 5}}}
    new = {"spec": {"type": "Limited", "limited": {"nominalConcurrencyShares": 5}}}
    assert (to_hub(old), from_hub(new)) == (new, old)
    assert to_hub(exempt := {"spec": {"type": "Exempt"}}) == exempt


def test_coverage_document_is_current():
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "coverage.py"))
    assert script["TARGET"].read_text() == script["render"](), "run python scripts/coverage.py"


def test_every_strategy_is_a_rows_and_every_row_has_its_own() -> None:
    """Rows name their strategies, which are imported when first asked for."""
    folder = Path(strategies.__file__).parent
    modules = {path.stem for path in folder.glob("*.py") if re.search("^STRATEGY = ", path.read_text(), re.MULTILINE)}
    assert {row.strategy_name for row in ROWS if row.strategy_name} == modules
    assert all(row.strategy is not None for row in ROWS)
