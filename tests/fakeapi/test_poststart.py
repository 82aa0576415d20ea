"""What a fresh server holds."""

import pytest

from fakeapi.bootstrap import rbac
from fakeapi.poststart import Facts, objects
from fakeapi.resources.table import builtin
from fakeapi.schema.definitions import MINORS, load
from tests.pace import quiet_seconds

FACTS = Facts(now="2026-01-02T03:04:05Z", service_cidr="10.0.0.0/16", client_ca="PEM")


def named(minor=36):
    return {
        (row.plural, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]): obj
        for row, obj in objects(builtin(minor), FACTS)
    }


@pytest.mark.parametrize("minor", MINORS)
def test_every_minor_has_whole_objects_of_known_fields(minor):
    definitions = load(minor)
    made = list(objects(builtin(minor), FACTS))
    for row, obj in made:
        version = obj["apiVersion"].rpartition("/")[2]
        kind = definitions.type(f"{row.definition}.{version}.{obj['kind']}")
        assert row.kind == obj["kind"]
        unknown(kind, obj, row.plural)
    assert len(made) == len(named(minor))


def unknown(kind, value, path):
    """Fails on a field that the type does not know."""
    if kind.kind == "object" and kind.fields:
        assert set(value) <= set(kind.fields), path
        for key, inner in value.items():
            unknown(kind.fields[key], inner, f"{path}.{key}")
    elif kind.kind == "list" and value is not None:
        for inner in value:
            unknown(kind.element, inner, path + "[]")


def test_references_lead_somewhere():
    found = named()
    for (plural, namespace, name), obj in found.items():
        if plural in ("clusterrolebindings", "rolebindings"):
            where = namespace if obj["roleRef"]["kind"] == "Role" else ""
            assert (obj["roleRef"]["kind"].lower() + "s", where, obj["roleRef"]["name"]) in found
        if plural == "flowschemas":
            level = obj["spec"]["priorityLevelConfiguration"]["name"]
            assert ("prioritylevelconfigurations", "", level) in found
        if namespace:
            assert ("namespaces", "", namespace) in found, name


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("* *", {"verbs": ["*"], "nonResourceURLs": ["*"]}),
        ("list,get core pods,nodes", {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["nodes", "pods"]}),
        (
            "get a,core b c",
            {"verbs": ["get"], "apiGroups": ["", "a"], "resources": ["b"], "resourceNames": ["c"]},
        ),
    ],
)
def test_policy_lines(text, rule):
    assert rbac.rule(text) == rule


def test_aggregated_roles_start_empty():
    view = named()["clusterroles", "", "view"]
    assert view["rules"] is None
    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    selector = {"matchLabels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}}
    assert view["aggregationRule"] == {"clusterRoleSelectors": [selector]}
    assert "f:rules" not in view["metadata"]["managedFields"][0]["fieldsV1"]


def test_the_kubernetes_service_has_the_first_address():
    found = named()
    assert found["services", "default", "kubernetes"]["spec"]["clusterIPs"] == ["10.0.0.1"]
    assert ("ipaddresses", "", "10.0.0.1") in found
    assert found["servicecidrs", "", "kubernetes"]["spec"] == {"cidrs": ["10.0.0.0/16"]}
    subset = found["endpoints", "default", "kubernetes"]["subsets"][0]
    assert (subset["addresses"], subset["ports"][0]["port"]) == ([{"ip": "127.0.0.1"}], 6443)


def test_api_services_name_every_group_version_but_the_aggregators_own():
    table = builtin(36)
    names = {name for plural, _, name in named() if plural == "apiservices"}
    wanted = {f"{v}.{group}" for group in table.groups() for v in table.versions(group)}
    assert names == wanted - {"v1.apiregistration.k8s.io"}


def test_flow_schemas_status_is_applied_by_the_consumer():
    entries = named()["flowschemas", "", "exempt"]["metadata"]["managedFields"]
    assert [(entry["operation"], entry.get("subresource")) for entry in entries] == [
        ("Update", None),
        ("Apply", "status"),
    ]


def test_start_up_is_cheap():
    table = builtin(36)
    made = []
    best = min(quiet_seconds(lambda: made.append(sum(1 for _ in objects(table, FACTS)))) for _ in range(5))
    assert min(made) > 150
    assert best < 0.03, "start-up has 0.23 s for everything"


def test_two_ranges_are_of_two_families():
    facts = Facts(now="2026-01-02T03:04:05Z", service_cidr="10.0.0.0/16,fd00::/112")
    made = {row.plural: obj for row, obj in objects(builtin(36), facts)}
    assert made["servicecidrs"]["spec"]["cidrs"] == ["10.0.0.0/16", "fd00::/112"]
    assert made["services"]["spec"]["clusterIPs"] == ["10.0.0.1"]
