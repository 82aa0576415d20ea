"""Discovery documents: orders, shapes and hashes that clients see."""

import orjson
import pytest

from fakeapi import discovery
from fakeapi.resources.base import Resource, Served, scale, status
from fakeapi.resources.table import builtin

GROUPS = (
    "apiregistration.k8s.io apps events.k8s.io authentication.k8s.io authorization.k8s.io autoscaling batch"
    " certificates.k8s.io networking.k8s.io policy rbac.authorization.k8s.io storage.k8s.io"
    " admissionregistration.k8s.io apiextensions.k8s.io scheduling.k8s.io coordination.k8s.io node.k8s.io"
    " discovery.k8s.io resource.k8s.io flowcontrol.apiserver.k8s.io"
)


def test_groups_are_in_the_order_of_their_priorities():
    groups = discovery.api_group_list(builtin(36))["groups"]
    assert [group["name"] for group in groups] == GROUPS.split()


def test_a_group_prefers_its_first_version():
    v2, v1 = ({"groupVersion": f"autoscaling/{v}", "version": v} for v in ("v2", "v1"))
    assert discovery.api_group(builtin(36), "autoscaling") == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "autoscaling",
        "versions": [v2, v1],
        "preferredVersion": v2,
    }


@pytest.mark.parametrize("group", ["", "nope", "storagemigration.k8s.io"])
def test_groups_that_are_not_served_are_not_found(group):
    assert discovery.api_group(builtin(36), group) is None


def test_resources_of_the_core_group():
    found = discovery.api_resource_list(builtin(36), "", "v1")
    names = [entry["name"] for entry in found["resources"]]
    assert names == sorted(names)
    assert "apiVersion" not in found
    assert found["resources"][names.index("pods/eviction")] == {
        "name": "pods/eviction",
        "singularName": "",
        "namespaced": True,
        "group": "policy",
        "version": "v1",
        "kind": "Eviction",
        "verbs": ["create"],
    }


@pytest.mark.parametrize(
    ("where", "digest"),
    [
        (("", "v1", "configmaps"), "qFsyl6wFWjQ="),
        (("apps", "v1", "deployments"), "8aSe+NMegvE="),
        (("autoscaling", "v1", "horizontalpodautoscalers"), "qwQve8ut294="),
        (("events.k8s.io", "v1", "events"), "r2yiGXH7wu8="),
        (("authorization.k8s.io", "v1", "subjectaccessreviews"), ""),
    ],
)
def test_storage_version_hash(where, digest):
    assert discovery.storage_version_hash(builtin(36).find(*where)) == digest


def test_aggregated_discovery_says_what_the_lists_say():
    table = builtin(36)
    for core in (True, False):
        for item in discovery.aggregated(table, core)["items"]:
            group = item["metadata"].get("name", "")
            for version in item["versions"]:
                listed = discovery.api_resource_list(table, group, version["version"])["resources"]
                flat = [
                    name
                    for entry in version["resources"]
                    for name in (
                        entry["resource"],
                        *(f"{entry['resource']}/{sub['subresource']}" for sub in entry.get("subresources", ())),
                    )
                ]
                assert flat == [entry["name"] for entry in listed]


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        ("", ""),
        ("application/json", ""),
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", "v2"),
        ("application/json;as=APIGroupDiscoveryList;v=v2beta1;g=apidiscovery.k8s.io,application/json", "v2beta1"),
        ("application/json,application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", "v2"),
        ("application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json", ""),
        ("application/json; g=meta.k8s.io; v=v1; as=APIGroupDiscoveryList", ""),
        ("text/html;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", ""),
        (
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList;q=0.1,"
            "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
            "v2beta1",
        ),
    ],
)
def test_who_is_answered_with_aggregated_discovery(accept, version):
    assert discovery.aggregated_version(accept) == version


def test_custom_resources_keep_the_order_of_their_verbs():
    verbs = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
    table = builtin(36)
    table.add(
        Resource(
            group="example.com",
            kind="Widget",
            plural="widgets",
            versions=(Served("v1"), Served("v2")),
            verbs=verbs,
            subresources=(status("Widget"), scale()),
        )
    )
    assert [v["version"] for v in discovery.api_group(table, "example.com")["versions"]] == ["v2", "v1"]
    entries = discovery.api_resource_list(table, "example.com", "v1")["resources"]
    assert [entry["name"] for entry in entries] == ["widgets", "widgets/status", "widgets/scale"]
    assert entries[0]["verbs"] == list(verbs)


def test_views_are_made_anew_when_the_table_changes():
    table = builtin(36)
    views = discovery.Views(table)
    body, etag = views.aggregated(core=False, version="v2")
    assert views.aggregated(core=False, version="v2") == (body, etag)
    assert views.group("example.com") is None
    table.add(Resource(group="example.com", kind="Widget", plural="widgets"))
    assert views.aggregated(core=False, version="v2")[1] != etag
    assert orjson.loads(views.group("example.com"))["name"] == "example.com"
    assert orjson.loads(views.group_list())["groups"][-1]["name"] == "example.com"
