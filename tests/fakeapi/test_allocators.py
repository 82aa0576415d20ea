"""Cluster IPs and node ports: taken, shared, refused, given back."""

import copy
import random

import pytest

from fakeapi.allocators import ServiceAllocators
from fakeapi.errors import ApiError
from fakeapi.strategies.base import Context
from fakeapi.strategies.service import STRATEGY

NOW = "2026-01-01T00:00:00Z"


def context(**more):
    return Context(now=NOW, **more)


def service(**spec):
    ports = spec.pop("ports", [{"port": 80}])
    obj = {"metadata": {"name": "s", "namespace": "n"}, "spec": {"ports": ports, **spec}}
    STRATEGY.default(obj)
    STRATEGY.prepare_create(obj, context())
    return obj


@pytest.fixture
def allocators():
    return ServiceAllocators(["10.0.0.0/24"], rng=random.Random(1))


def create(allocators, **spec):
    obj = service(**spec)
    done = allocators.allocate(obj, None, context())
    done(True)
    return obj


def update(allocators, old, **changes):
    new = copy.deepcopy(old)
    new["spec"].update(changes)
    STRATEGY.default(new)
    STRATEGY.prepare_update(new, old, context())
    allocators.allocate(new, old, context())(True)
    return new


def refusal(allocators, **spec):
    with pytest.raises(ApiError) as caught:
        allocators.allocate(service(**spec), None, context())
    return caught.value.status["message"].removeprefix('Service "s" is invalid: ')


def test_addresses_come_from_above_the_static_band(allocators):
    found = {create(allocators)["spec"]["clusterIP"] for _ in range(50)}
    assert len(found) == 50
    assert all(int(ip.rsplit(".", 1)[1]) >= 16 for ip in found)


@pytest.mark.parametrize(
    ("ip", "problem"),
    [
        ("10.0.0.9", "provided IP is already allocated"),
        ("10.0.0.0", "the provided network does not match the current range"),
        ("10.0.0.255", "the provided network does not match the current range"),
        ("192.168.0.1", "the provided network does not match the current range"),
    ],
)
def test_addresses_that_are_not_to_be_had(allocators, ip, problem):
    create(allocators, clusterIP="10.0.0.9")
    text = f'spec.clusterIPs: Invalid value: ["{ip}"]: failed to allocate IP {ip}: {problem}'
    assert refusal(allocators, clusterIP=ip) == text


def test_a_full_range_is_not_the_clients_fault():
    small = ServiceAllocators(["10.0.0.0/30"], rng=random.Random(1))
    create(small)
    create(small)
    with pytest.raises(ApiError) as caught:
        create(small)
    assert caught.value.code == 500


def test_a_failed_write_gives_back_what_it_took(allocators):
    obj = service(type="NodePort", clusterIP="10.0.0.9", ports=[{"port": 80, "nodePort": 30001}])
    allocators.allocate(obj, None, context())(False)
    create(allocators, type="NodePort", clusterIP="10.0.0.9", ports=[{"port": 80, "nodePort": 30001}])
    refusal(allocators, clusterIP="10.0.0.7", type="NodePort", ports=[{"port": 80, "nodePort": 30001}])
    create(allocators, clusterIP="10.0.0.7")


def test_a_dry_run_takes_nothing_and_sees_no_conflict(allocators):
    create(allocators, clusterIP="10.0.0.9")
    allocators.allocate(service(clusterIP="10.0.0.9"), None, context(dry_run=True))(False)
    assert refusal(allocators, clusterIP="10.0.0.9").endswith("already allocated")


@pytest.mark.parametrize(
    ("port", "problem"),
    [
        (30001, "provided port is already allocated"),
        (80, "provided port is not in the valid range. The range of valid ports is 30000-32767"),
    ],
)
def test_node_ports_that_are_not_to_be_had(allocators, port, problem):
    create(allocators, type="NodePort", ports=[{"port": 1, "nodePort": 30001}])
    text = f"spec.ports[0].nodePort: Invalid value: {port}: {problem}"
    assert refusal(allocators, type="NodePort", ports=[{"port": 1, "protocol": "UDP", "nodePort": port}]) == text


def test_one_port_in_two_protocols_shares_a_node_port(allocators):
    ports = [{"name": "u", "port": 53, "protocol": "UDP"}, {"name": "t", "port": 53}]
    found = create(allocators, type="NodePort", ports=ports)["spec"]["ports"]
    assert found[0]["nodePort"] == found[1]["nodePort"]


def test_load_balancers_may_do_without_node_ports(allocators):
    obj = create(allocators, type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert "nodePort" not in obj["spec"]["ports"][0]
    local = create(allocators, type="LoadBalancer", externalTrafficPolicy="Local")
    assert 30000 <= local["spec"]["healthCheckNodePort"] <= 32767


def test_a_change_of_type_gives_back_what_is_not_needed(allocators):
    old = create(allocators, type="NodePort", clusterIP="10.0.0.9", ports=[{"port": 80, "nodePort": 30001}])
    new = update(allocators, old, type="ClusterIP")
    assert "nodePort" not in new["spec"]["ports"][0]
    create(allocators, type="NodePort", ports=[{"port": 80, "nodePort": 30001}])
    gone = update(allocators, new, type="ExternalName", externalName="a.b")
    assert "clusterIP" not in gone["spec"]
    create(allocators, clusterIP="10.0.0.9")


def test_release_and_rebuild(allocators):
    obj = create(allocators, clusterIP="10.0.0.9")
    allocators.release(obj)
    create(allocators, clusterIP="10.0.0.9")
    allocators.rebuild([])
    create(allocators, clusterIP="10.0.0.9")
    allocators.rebuild([obj])
    assert refusal(allocators, clusterIP="10.0.0.9").endswith("already allocated")


@pytest.mark.parametrize(
    ("spec", "families", "policy"),
    [
        ({}, ["IPv4"], "SingleStack"),
        ({"ipFamilyPolicy": "PreferDualStack"}, ["IPv4"], "PreferDualStack"),
        ({"clusterIP": "None"}, ["IPv4", "IPv6"], "RequireDualStack"),
        ({"clusterIP": "None", "selector": {"a": "b"}}, ["IPv4"], "SingleStack"),
    ],
)
def test_families_follow(allocators, spec, families, policy):
    found = create(allocators, **spec)["spec"]
    assert (found["ipFamilies"], found["ipFamilyPolicy"]) == (families, policy)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
        (
            {"ipFamilyPolicy": "RequireDualStack"},
            'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
            "this cluster is not configured for dual-stack services",
        ),
        (
            {"clusterIP": "fd00::1"},
            'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster',
        ),
        (
            {"clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.8"]},
            'spec.clusterIPs: Invalid value: ["10.0.0.8"]: first value must match `clusterIP`',
        ),
    ],
)
def test_families_that_the_cluster_lacks(allocators, spec, text):
    assert refusal(allocators, **spec) == text


def test_two_families():
    both = ServiceAllocators(["10.0.0.0/24", "fd00::/112"], rng=random.Random(1))
    found = create(both, ipFamilyPolicy="PreferDualStack")["spec"]
    assert found["ipFamilies"] == ["IPv4", "IPv6"]
    assert [":" in ip for ip in found["clusterIPs"]] == [False, True]
