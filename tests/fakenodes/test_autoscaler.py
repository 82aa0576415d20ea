"""The autoscaler on a running cluster."""

from __future__ import annotations

import asyncio

import pytest

from fakenodes.client.base import Obj
from fakenodes.client.gvrs import AUTOSCALERS, DEPLOYMENTS
from fakenodes.controllers.scalemetrics import external_name, where
from tests.fakenodes.test_deployment import deployment
from tests.fakenodes.world import EVENTS, world


def autoscaler(name: str) -> Obj:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {"metadata": {"name": name}, "spec": {"maxReplicas": 5, "scaleTargetRef": target}}


def test_of_several_autoscalers_of_a_pod_none_works() -> None:
    async def run() -> None:
        async with world("deployment,replicaset,horizontalpodautoscaling", nodes=1) as w:
            await w.client.create(DEPLOYMENTS, deployment(2), "default")
            await w.advance(2)
            for name in ("b", "a"):
                await w.client.create(AUTOSCALERS, autoscaler(name), "default")
            await w.advance(20)
            why = "pods by selector app=web are controlled by multiple HPAs: [default/a default/b]"
            for name in ("a", "b"):
                found = await w.find(AUTOSCALERS, name)
                assert found is not None
                active = next(c for c in found["status"]["conditions"] if c["type"] == "ScalingActive")
                assert (active["status"], active["reason"], active["message"]) == ("False", "AmbiguousSelector", why)
            told = (await w.client.list(EVENTS, "default")).items
            assert {e["reason"] for e in told if e["message"] == why} == {
                "AmbiguousSelector",
                "FailedComputeMetricsReplicas",
            }
            await w.client.delete(AUTOSCALERS, "b", "default")
            await w.advance(20)
            left = await w.find(AUTOSCALERS, "a")
            assert left is not None
            assert all(c.get("reason") != "AmbiguousSelector" for c in left["status"]["conditions"])

    asyncio.run(run())


LINKS = {"metric": {"name": "links"}}


@pytest.mark.parametrize(
    ("type", "body", "text"),
    [
        ("Resource", {"name": "cpu", "target": {}}, "failed to get cpu resource metric value"),
        (
            "ContainerResource",
            {"name": "cpu", "container": "web", "target": {}},
            "failed to get web container metric value",
        ),
        ("Pods", {**LINKS, "target": {"averageValue": "1"}}, "failed to get pods metric value"),
        ("Object", {**LINKS, "target": {"value": "1"}}, "failed to get object metric value"),
        (
            "Object",
            {**LINKS, "target": {"averageValue": "1"}},
            "failed to get object metric value: failed to get links object metric",
        ),
        (
            "External",
            {**LINKS, "target": {"averageValue": "1"}},
            "failed to get links external metric value: failed to get links external metric",
        ),
        (
            "External",
            {**LINKS, "target": {"value": "1"}},
            "failed to get links external metric value: failed to get external metric links",
        ),
    ],
)
def test_what_could_not_be_read(type: str, body: Obj, text: str) -> None:
    assert where({"type": type, type[:1].lower() + type[1:]: body}) == text


def test_selectors_of_metrics_are_told_as_go_prints_them() -> None:
    assert external_name({"name": "links"}) == "external metric links(nil)"
    assert external_name({"name": "links", "selector": {"matchLabels": {"a": "b"}}}) == (
        "external metric links(&LabelSelector{MatchLabels:map[string]string{a: b,},"
        "MatchExpressions:[]LabelSelectorRequirement{},})"
    )


def test_a_metric_that_cannot_be_read_has_no_type() -> None:
    async def run() -> None:
        async with world("deployment,replicaset,horizontalpodautoscaling", nodes=1) as w:
            await w.client.create(DEPLOYMENTS, deployment(2), "default")
            await w.advance(2)
            await w.client.create(AUTOSCALERS, autoscaler("a"), "default")
            await w.advance(20)
            found = await w.find(AUTOSCALERS, "a")
            assert found is not None
            assert found["status"]["currentMetrics"] == [{"type": ""}]
            assert (found["status"]["currentReplicas"], found["status"]["desiredReplicas"]) == (2, 0)

    asyncio.run(run())
