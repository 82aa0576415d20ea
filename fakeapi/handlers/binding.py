"""pods/binding (and POST of a Binding) and pods/eviction.

Stands for pkg/registry/core/pod/storage (BindingREST, EvictionREST). Both change the Pod past its update strategy.
"""

from __future__ import annotations

from typing import Any

from fakeapi import errors, selectors
from fakeapi.admission.base import CREATE
from fakeapi.deletion import DeleteOptions, check_preconditions
from fakeapi.errors import ApiError
from fakeapi.handlers.create import admission_attributes, place
from fakeapi.handlers.delete import options_from
from fakeapi.handlers.scope import Scope, accepted, check_options, is_dry_run, loads, read_object
from fakeapi.request import Answer, Request
from fakeapi.strategies.base import Context, Obj
from fakeapi.watchevents import splice

_BUDGET = "Cannot evict pod as it would violate the pod's disruption budget."
MAX_DISRUPTED = 2000


def created() -> Obj:
    """The Status of a binding or an eviction that worked."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def bind(scope: Scope, request: Request) -> Answer:
    """Assign a Pod to a node; the node need not exist. ApiError 4xx, or a plain 500 for a bad target."""
    form = accepted(request)
    check_options(request, "CreateOptions")
    body = await read_object(
        scope, request, "Binding", "", "v1", scope.server.definitions.type("io.k8s.api.core.v1.Binding")
    )
    place(scope, request, body)
    name = body["metadata"].get("name", "")
    if request.info.name and name != request.info.name:
        raise errors.bad_request("name in URL does not match name in Binding object")
    ctx = scope.context(request, is_dry_run(request))
    attributes = admission_attributes(scope, request, ctx, CREATE, body, None)
    attributes.kind = "Binding"
    await scope.server.admission.admit(attributes)
    await scope.server.admission.validate(attributes)
    found = check_binding(body)
    if found:
        raise errors.plain_500(str(found[0]) if len(found) == 1 else f"[{', '.join(map(str, found))}]")
    if not name:
        raise errors.bad_request("Name parameter required.")
    pods = await scope.server.registry_of("", "pods")
    await pods.change(request.info.namespace, name, ctx, lambda pod: assign(pod, body, ctx))
    return Answer(201, form.encode(created()), form.media)


def check_binding(body: Obj) -> list[errors.FieldError]:
    """ValidatePodBinding."""
    target = body.get("target") or {}
    found = []
    if target.get("kind") not in (None, "", "Node"):
        found.append(errors.not_supported("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        found.append(errors.required("target.name"))
    return found


def assign(pod: Obj, body: Obj, ctx: Context) -> None:
    """Write the binding into the Pod. ApiError 409."""
    metadata = pod["metadata"]
    name, node = metadata["name"], body["target"]["name"]
    wanted = body["metadata"].get("uid")
    if wanted and wanted != metadata["uid"]:
        key = f"/registry/pods/{metadata['namespace']}/{name}"
        text = (
            f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {metadata['uid']}"
        )
        raise errors.conflict("", "pods", name, text)
    for reason in _why_not(pod):
        raise errors.conflict("", "pods/binding", name, f"pod {name} {reason}")
    pod["spec"]["nodeName"] = node
    _merge(metadata, "annotations", body["metadata"].get("annotations") or {})
    labels = body["metadata"].get("labels") or {}
    _merge(metadata, "labels", {k: v for k, v in labels.items() if k not in (metadata.get("labels") or {})})
    (pod.get("status") or {}).pop("nominatedNodeName", None)
    _scheduled(pod, ctx)


def _why_not(pod: Obj) -> list[str]:
    if pod["metadata"].get("deletionTimestamp"):
        return ["is being deleted, cannot be assigned to a host"]
    if pod["spec"].get("nodeName"):
        return [f'is already assigned to node "{pod["spec"]["nodeName"]}"']
    return ["has non-empty .spec.schedulingGates"] if pod["spec"].get("schedulingGates") else []


def _merge(metadata: Obj, field: str, values: Obj) -> None:
    if values:
        metadata[field] = {**(metadata.get(field) or {}), **values}


def _scheduled(pod: Obj, ctx: Context) -> None:
    """podutil.UpdatePodCondition with PodScheduled=True."""
    conditions = pod.setdefault("status", {}).setdefault("conditions", [])
    made = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": ctx.now}
    for i, condition in enumerate(conditions):
        if condition["type"] == "PodScheduled":
            if condition["status"] == "True":
                made["lastTransitionTime"] = condition.get("lastTransitionTime")
            conditions[i] = made
            return
    conditions.append(made)


# -- eviction ----------------------------------------------------------------------------------------------------------


async def evict(scope: Scope, request: Request) -> Answer:
    """Delete a Pod if its disruption budget has room. ApiError 429 when it has none."""
    form = accepted(request)
    check_options(request, "CreateOptions")
    definitions = scope.server.definitions
    body = await read_object(
        scope,
        request,
        "Eviction",
        "policy",
        "v1",
        definitions.type("io.k8s.api.policy.v1.Eviction"),
        versions=("policy/v1beta1",),
    )
    place(scope, request, body)
    info = request.info
    if body["metadata"].get("name", "") != info.name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    options = options_from(body.get("deleteOptions") or {})
    dry_run = options.dry_run or is_dry_run(request)
    ctx = scope.context(request, dry_run)
    options = DeleteOptions(options.grace, options.policy, options.uid, options.resource_version, dry_run)
    entry = await scope.registry.current(info.namespace, info.name)
    pod = loads(splice(entry.value, entry.revision))
    attributes = admission_attributes(scope, request, ctx, CREATE, body, None)
    attributes.kind = "Eviction"
    await scope.server.admission.admit(attributes)
    await scope.server.admission.validate(attributes)
    if not ignores_budget(pod):
        await _spend(scope, request, ctx, pod)
    check_preconditions(pod, options, scope.row.group, scope.row.kind)
    if pod["spec"].get("nodeName") and not dry_run:
        options = DeleteOptions(options.grace, options.policy, pod["metadata"]["uid"], None, dry_run)
        await scope.registry.change(info.namespace, info.name, ctx, lambda stored: _mark_disrupted(stored, ctx))
    await scope.registry.delete(info.namespace, info.name, ctx, options)
    return Answer(201, form.encode(created()), form.media)


def _mark_disrupted(pod: Obj, ctx: Context) -> None:
    """The condition that tells a Pod was evicted (addConditionAndDeletePod)."""
    kept = [c for c in pod.setdefault("status", {}).get("conditions") or () if c["type"] != "DisruptionTarget"]
    made = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": ctx.now,
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    pod["status"]["conditions"] = [*kept, made]


def ignores_budget(pod: Obj) -> bool:
    """canIgnorePDB: finished, pending and deleted Pods cost nothing."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed", "Pending") or bool(
        pod["metadata"].get("deletionTimestamp")
    )


async def _spend(scope: Scope, request: Request, ctx: Context, pod: Obj) -> None:
    labels = pod["metadata"].get("labels") or {}
    namespace = pod["metadata"]["namespace"]
    budgets = [
        b
        for b in await scope.server.reader.list("policy", "poddisruptionbudgets", namespace)
        if selectors.from_label_selector(b.get("spec", {}).get("selector")).matches(labels)
    ]
    if len(budgets) > 1:
        raise errors.plain_500(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        )
    for budget in budgets:
        if _unhealthy_may_go(pod, budget):
            return
        registry = await scope.server.registry_of("policy", "poddisruptionbudgets")
        await registry.change(
            namespace, budget["metadata"]["name"], ctx, lambda b: spend(b, pod["metadata"]["name"], ctx)
        )


def _unhealthy_may_go(pod: Obj, budget: Obj) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
        return False
    spec, status = budget.get("spec", {}), budget.get("status", {})
    if spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    return bool(0 < status.get("desiredHealthy", 0) <= int(status.get("currentHealthy", 0)))


def spend(budget: Obj, pod: str, ctx: Context) -> None:
    """checkAndDecrement: one disruption less, the Pod noted. ApiError 429."""
    status: dict[str, Any] = budget.setdefault("status", {})
    name = budget["metadata"]["name"]
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise _too_many(f"The disruption budget {name} is still being processed by the server.", 10)
    allowed = status.get("disruptionsAllowed", 0)
    if len(status.get("disruptedPods") or {}) > MAX_DISRUPTED:
        raise _too_many(f"The disruption budget {name} has too many evictions not confirmed by the controller.", 10)
    if allowed <= 0:
        raise _too_many(_no_room(name, status))
    status["disruptionsAllowed"] = allowed - 1
    if not ctx.dry_run:
        status["disruptedPods"] = {**(status.get("disruptedPods") or {}), pod: ctx.now}


def _no_room(name: str, status: Obj) -> str:
    """The condition's message where there is one, else the counts."""
    for condition in status.get("conditions") or ():
        if condition["type"] == "DisruptionAllowed" and condition.get("reason") == "SyncFailed":
            return (
                f"The disruption budget {name} does not allow evicting pods currently because it failed sync:"
                f" {condition.get('message', '')}"
            )
    if status.get("desiredHealthy", 0) >= status.get("currentHealthy", 0) and status.get("desiredHealthy"):
        return (
            f"The disruption budget {name} needs {status['desiredHealthy']} healthy pods and has"
            f" {status.get('currentHealthy', 0)} currently"
        )
    return f"The disruption budget {name} does not allow evicting pods currently"


def _too_many(message: str, seconds: int = 0) -> ApiError:
    return errors.too_many_requests(_BUDGET, seconds, [{"reason": "DisruptionBudget", "message": message}])
