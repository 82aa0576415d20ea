"""What the metrics APIs say, as autoscalers ask them.

Stands for kube-controller-manager's podautoscaler/metrics (resource metrics: metrics.k8s.io; custom and external
ones). Values come in thousandths. Leaves out older versions of the custom metrics API.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from fakeapi import quantity
from fakeapi.clock import parse_rfc3339
from fakenodes.client.base import Client, ClientError, Obj
from fakenodes.controllers.autoscaling import MetricError, Sample

RESOURCE = "/apis/metrics.k8s.io/v1beta1"
CUSTOM = "/apis/custom.metrics.k8s.io/v1beta2"
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1"


async def _ask(client: Client, path: str, query: Mapping[str, str], what: str, missing: str) -> Obj:
    """GET; MetricError with upstream's words when the API is not there or refuses."""
    chosen = {k: v for k, v in query.items() if v}
    try:
        return await client.get_path(f"{path}?{urlencode(chosen)}" if chosen else path)
    except (ClientError, OSError) as error:
        absent = isinstance(error, ClientError) and error.code == 404
        raise MetricError(f"{what}: {missing if absent else error}") from None


def _sample(value: int, item: Obj) -> Sample:
    at = parse_rfc3339(item["timestamp"]) if item.get("timestamp") else 0.0
    window = item.get("window") or f"{item.get('windowSeconds') or 60}s"
    return Sample(value, at, _seconds(window))


def _seconds(duration: str) -> float:
    """A Go duration of hours, minutes and seconds."""
    total, number = 0.0, ""
    for char in duration:
        if char in "hms":
            total += float(number or 0) * {"h": 3600.0, "m": 60.0, "s": 1.0}[char]
            number = ""
        else:
            number += char
    return total or 60.0


async def resource(client: Client, namespace: str, selector: str, name: str, container: str = "") -> dict[str, Sample]:
    """A resource's use by pod name; of one container, if it is named."""
    what = f"unable to get metrics for resource {name}: unable to fetch metrics from resource metrics API"
    missing = "the server could not find the requested resource (get pods.metrics.k8s.io)"
    found = await _ask(client, f"{RESOURCE}/namespaces/{namespace}/pods", {"labelSelector": selector}, what, missing)
    if not found.get("items"):
        raise MetricError(f"unable to get metrics for resource {name}: no metrics returned from resource metrics API")
    samples = {}
    for item in found["items"]:
        uses = [c["usage"] for c in item.get("containers") or () if not container or c["name"] == container]
        if uses and all(name in x for x in uses):
            total = sum(quantity.milli_value(x[name]) for x in uses)
            samples[item["metadata"]["name"]] = _sample(total, item)
    return samples


async def pods(client: Client, namespace: str, selector: str, metric: Obj) -> dict[str, Sample]:
    """A custom metric by pod name."""
    name = metric["name"]
    what = f"unable to get metric {name}: unable to fetch metrics from custom metrics API"
    missing = f"the server could not find the metric {name} for pods"
    found = await _ask(
        client,
        f"{CUSTOM}/namespaces/{namespace}/pods/*/{name}",
        {"labelSelector": selector, "metricLabelSelector": _selector(metric)},
        what,
        missing,
    )
    items = found.get("items") or ()
    if not items:
        raise MetricError(f"unable to get metric {name}: no metrics returned from custom metrics API")
    return {i["describedObject"]["name"]: _sample(quantity.milli_value(i["value"]), i) for i in items}


async def of_object(client: Client, namespace: str, where: str, described: Obj, metric: Obj) -> int:
    """A custom metric of one object. where: its resource, `services` or `ingresses.networking.k8s.io`."""
    name = metric["name"]
    what = (
        f"unable to get metric {name}: {described['kind']} on {namespace} {described['name']}/"
        "unable to fetch metrics from custom metrics API"
    )
    missing = f"the server could not find the metric {name} for {where} {described['name']}"
    found = await _ask(
        client,
        f"{CUSTOM}/namespaces/{namespace}/{where}/{described['name']}/{name}",
        {"metricLabelSelector": _selector(metric)},
        what,
        missing,
    )
    items = found.get("items") or ()
    if not items:
        raise MetricError(f"unable to get metric {name}: no metrics returned from custom metrics API")
    return quantity.milli_value(items[0]["value"])


async def external(client: Client, namespace: str, metric: Obj) -> int:
    """An external metric, all its series together."""
    name = metric["name"]
    title = f"unable to get external metric {namespace}/{name}/{_shown(metric)}"
    what = f"{title}: unable to fetch metrics from external metrics API"
    missing = f"the server could not find the requested resource (get {name}.external.metrics.k8s.io)"
    found = await _ask(
        client, f"{EXTERNAL}/namespaces/{namespace}/{name}", {"labelSelector": _selector(metric)}, what, missing
    )
    items = found.get("items") or ()
    if not items:
        raise MetricError(f"{title}: no metrics returned from external metrics API")
    return sum(quantity.milli_value(i["value"]) for i in items)


def _selector(metric: Obj) -> str:
    """The metric's label selector as a query says it."""
    selector = metric.get("selector") or {}
    parts = [f"{k}={v}" for k, v in sorted((selector.get("matchLabels") or {}).items())]
    words = {"In": "in", "NotIn": "notin"}
    for term in selector.get("matchExpressions") or ():
        key, operator = term["key"], term["operator"]
        if operator in words:
            parts.append(f"{key} {words[operator]} ({','.join(sorted(term.get('values') or ()))})")
        else:
            parts.append(key if operator == "Exists" else f"!{key}")
    return ",".join(parts)


def _shown(metric: Obj) -> str:
    return _selector(metric) or "nil"
