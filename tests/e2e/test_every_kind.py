"""kubectl on every kind that the server stores: get in each form, describe, explain, delete."""

from __future__ import annotations

import json

import pytest

from fakeapi.resources.base import Resource
from fakeapi.resources.table import builtin
from tests import objects
from tests.e2e.processes import Kubectl, Result

MINOR = 36
ROWS = [row for row in builtin(MINOR).rows() if "create" in row.verbs and not row.virtual]
# kubectl before 1.34 describes these by their beta version, which 1.36 does not serve.
NOT_DESCRIBED = ("IPAddress", "ServiceCIDR", "VolumeAttributesClass")
FORMS = {
    "default": (),
    "wide": ("-o", "wide"),
    "yaml": ("-o", "yaml"),
    "json": ("-o", "json"),
    "name": ("-o", "name"),
    "jsonpath": ("-o", "jsonpath={range .items[*]}{.kind}/{.metadata.name} {end}"),
    "custom-columns": ("-o", "custom-columns=KIND:.kind,NAME:.metadata.name"),
    "go-template": ("-o", "go-template={{range .items}}{{.kind}}/{{.metadata.name}} {{end}}"),
}


def full(row: Resource) -> str:
    """The resource as kubectl takes it without doubt: `deployments.v1.apps`."""
    return f"{row.plural}.{row.storage_version}.{row.group}" if row.group else row.plural


def name_of(row: Resource) -> str:
    """The name of the row's object in the table of objects."""
    found: str = objects.make(row.group, row.storage_version, row.kind)["metadata"]["name"]
    return found


@pytest.fixture
def everything(kubectl: Kubectl) -> Kubectl:
    """One object of every kind."""
    for row in ROWS:
        made = objects.make(row.group, row.storage_version, row.kind)
        if row.kind == "Event":
            for reference in ("involvedObject", "regarding"):
                if reference in made:
                    made[reference]["namespace"] = kubectl.namespace
        kubectl("create", "-f", "-", stdin=json.dumps(made))
    return kubectl


def test_get_describe_and_delete_every_kind(everything: Kubectl) -> None:
    kubectl = everything
    named = [f"{full(row)}/{name_of(row)}" for row in ROWS]
    wanted = {(row.kind, name_of(row)) for row in ROWS}
    shown = {form: kubectl("get", *named, *flags) for form, flags in FORMS.items()}
    listed = json.loads(shown["json"].stdout)["items"]
    assert {(item["kind"], item["metadata"]["name"]) for item in listed} == wanted
    assert len(shown["name"].stdout.split()) == len(ROWS)
    for form in ("jsonpath", "go-template"):
        assert set(shown[form].stdout.split()) == {"/".join(pair) for pair in wanted}
    assert {tuple(line) for line in shown["custom-columns"].lines()[1:]} == wanted
    for form in ("default", "wide"):
        assert _tables(shown[form]) == len(ROWS)
    assert shown["yaml"].stdout.count("\n  kind: ") >= len(ROWS)
    for row in ROWS:
        if row.kind not in NOT_DESCRIBED:
            lines = kubectl("describe", f"{full(row)}/{name_of(row)}").lines()
            assert lines[0] == ["Name:", name_of(row)]
    every = ",".join(full(row) for row in ROWS)
    for flags in ((), ("-o", "wide"), ("-o", "yaml")):
        assert kubectl("get", every, *flags).stdout
    names = kubectl("get", every, "-o", "name").stdout.split()
    assert {f"{name_of(row)}" for row in ROWS} <= {name.rpartition("/")[2] for name in names}
    for row in ROWS:
        kubectl("delete", f"{full(row)}/{name_of(row)}", "--wait=false")


def _tables(result: Result) -> int:
    """How many tables kubectl printed: each begins with a line of headings."""
    return sum(1 for line in result.stdout.splitlines() if line and line.split()[0] in ("NAME", "LAST"))


@pytest.mark.parametrize("group", sorted({row.group for row in ROWS}), ids=lambda group: group or "core")
def test_explain_every_kind_two_levels(kubectl: Kubectl, group: str) -> None:
    for row in ROWS:
        if row.group != group:
            continue
        api = f"{row.group}/{row.storage_version}" if row.group else row.storage_version
        text = kubectl("explain", row.plural, f"--api-version={api}").stdout
        assert f"KIND:       {row.kind}" in text
        assert "metadata\t<ObjectMeta>" in text
        fields = [line.split("\t")[0].strip() for line in text.splitlines() if line.startswith("  ") and "\t<" in line]
        assert {"apiVersion", "kind", "metadata"} <= set(fields)
        whole = kubectl("explain", row.plural, f"--api-version={api}", "--recursive").stdout
        assert {line.split("\t")[0] for line in whole.splitlines() if "\t<" in line} >= {f"  {name}" for name in fields}
        assert "    managedFields\t<[]ManagedFieldsEntry>" in whole
        for field in fields:
            below = kubectl("explain", f"{row.plural}.{field}", f"--api-version={api}").stdout
            assert f"FIELD: {field} <" in below
