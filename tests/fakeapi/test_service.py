"""Services: defaults, what each type may set, what an update keeps and refuses."""

import copy

import pytest

from fakeapi.strategies.base import Context
from fakeapi.strategies.service import STRATEGY

CTX = Context(now="2026-01-01T00:00:00Z")


def service(**spec):
    obj = {"metadata": {"name": "s", "namespace": "n"}, "spec": spec}
    STRATEGY.default(obj)
    return obj


def stored(**spec):
    base = {"ports": [{"port": 80}], "clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9"], "ipFamilies": ["IPv4"]}
    return service(**{**base, "ipFamilyPolicy": "SingleStack", **spec})


@pytest.mark.parametrize(
    ("spec", "adds"),
    [
        (
            {"ports": [{"port": 80}]},
            {"type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster"},
        ),
        ({"type": "NodePort"}, {"externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster"}),
        ({"type": "LoadBalancer"}, {"allocateLoadBalancerNodePorts": True}),
        ({"sessionAffinity": "ClientIP"}, {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}}),
    ],
)
def test_defaults(spec, adds):
    assert service(**spec)["spec"].items() >= adds.items()


def test_an_external_name_gets_no_traffic_policy():
    assert service(type="ExternalName", externalName="a.b")["spec"] == {
        "type": "ExternalName",
        "externalName": "a.b",
        "sessionAffinity": "None",
    }


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({}, []),
        ({"ports": []}, ["spec.ports: Required value"]),
        ({"ports": [{"port": 80}, {"port": 81}]}, [f"spec.ports[{i}].name: Required value" for i in (0, 1)]),
        (
            {"ports": [{"port": 80, "nodePort": 30001}]},
            ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
        ),
        (
            {"type": "Internal"},
            [
                'spec.type: Unsupported value: "Internal": supported values: '
                '"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"'
            ],
        ),
        (
            {"externalTrafficPolicy": "Local"},
            ['spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'],
        ),
        (
            {"externalIPs": ["127.0.0.1"]},
            [
                'spec.externalIPs[0]: Invalid value: "127.0.0.1": '
                "may not be in the loopback range (127.0.0.0/8, ::1/128)"
            ],
        ),
    ],
)
def test_validation(spec, found):
    assert [str(e) for e in STRATEGY.validate(stored(**spec), CTX)] == found


def updated(old, **changes):
    new = copy.deepcopy(old)
    for key, value in changes.items():
        if value is None:
            new["spec"].pop(key, None)
        else:
            new["spec"][key] = value
    STRATEGY.default(new)
    STRATEGY.prepare_update(new, old, CTX)
    return new


def test_a_client_that_leaves_out_what_was_allocated_gets_it_back():
    new = updated(stored(), clusterIP=None, clusterIPs=None)
    assert new["spec"]["clusterIPs"] == ["10.0.0.9"]
    old = stored(type="NodePort", ports=[{"port": 80, "nodePort": 30001}])
    assert updated(old, ports=[{"port": 81}])["spec"]["ports"][0]["nodePort"] == 30001


@pytest.mark.parametrize(("ip", "ips"), [("10.0.0.7", None), ("None", None), ("10.0.0.7", ["10.0.0.7"])])
def test_a_cluster_ip_does_not_change(ip, ips):
    old = stored()
    new = updated(old, clusterIP=ip, clusterIPs=ips)
    text = f'spec.clusterIPs[0]: Invalid value: ["{ip}"]: may not change once set'
    assert str(STRATEGY.validate_update(new, old, CTX)[0]) == text


def test_a_status_of_no_load_balancer_has_no_ingress():
    new = stored()
    new["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}
    found = STRATEGY.validate_status(new, stored(), CTX)
    assert [e.field for e in found] == ["status.loadBalancer.ingress"]
