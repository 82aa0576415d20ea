"""Aggregated ClusterRoles have the rules of those that their selectors name.

Stands for kube-controller-manager's pkg/controller/clusterroleaggregation: rules in the order of the roles' names,
each once, written by server-side apply. Roles that select nobody keep what they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fakeapi.selectors import SelectorError, from_label_selector
from fakenodes.client.base import APPLY_PATCH, Obj
from fakenodes.client.gvrs import CLUSTER_ROLES
from fakenodes.controllers.base import Controller, Watch, Watching, Work, service_account

MANAGER = "clusterrole-aggregation-controller"
BY_LABEL, AGGREGATED, YES = "label", "aggregated", "yes"


def plan(role: Obj, roles: Iterable[Obj]) -> list[Obj] | None:
    """The rules that the role should have; None when it is not aggregated, selects nobody, or has them."""
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
    if not selectors:
        return None
    found: list[Obj] = []
    ordered = sorted(roles, key=lambda r: str(r["metadata"]["name"]))
    for selector in selectors:
        try:
            chosen = from_label_selector(selector)
        except SelectorError:
            return None
        for each in ordered:
            meta = each["metadata"]
            if meta["name"] != role["metadata"]["name"] and chosen.matches(meta.get("labels") or {}):
                found += [rule for rule in each.get("rules") or () if rule not in found]
    return found if found and not _same(found, role.get("rules") or ()) else None


def _same(one: Sequence[Obj], other: Sequence[Obj]) -> bool:
    return list(one) == list(other)


async def reconcile(work: Work) -> float | None:
    """Apply the rules."""
    role = work.get(CLUSTER_ROLES, work.key)
    rules = plan(role, _candidates(work, role)) if role is not None else None
    if role is None or rules is None:
        return None
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": work.key},
        "rules": rules,
    }
    await work.client.patch(CLUSTER_ROLES, work.key, body, content_type=APPLY_PATCH, field_manager=MANAGER, force=True)
    return None


def _candidates(work: Work, role: Obj) -> Iterable[Obj]:
    """The roles that its selectors may choose: by a label that a selector asks for, or all of them."""
    found: dict[str, Obj] = {}
    for selector in (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or ():
        label = next(iter((selector.get("matchLabels") or {}).items()), None)
        chosen = work.find(CLUSTER_ROLES, BY_LABEL, _pair(*label)) if label else work.list(CLUSTER_ROLES)
        found.update((each["metadata"]["name"], each) for each in chosen)
    return found.values()


def _labels(role: Obj) -> list[str]:
    return [_pair(key, value) for key, value in (role["metadata"].get("labels") or {}).items()]


def _pair(key: str, value: str) -> str:
    return f"{key}={value}"


def _aggregates(role: Obj) -> tuple[str, ...]:
    return (YES,) if role.get("aggregationRule") else ()


def _aggregated(watching: Watching, _: Obj | None, __: Obj | None) -> Iterable[str]:
    """Any change may concern any aggregated role: there are few."""
    return [role["metadata"]["name"] for role in watching.find(CLUSTER_ROLES, AGGREGATED, YES)]


CLUSTER_ROLE_AGGREGATION = Controller(
    "clusterrole-aggregation-controller",
    "clusterrole-aggregation",
    service_account("clusterrole-aggregation-controller"),
    (Watch(CLUSTER_ROLES, _aggregated, {BY_LABEL: _labels, AGGREGATED: _aggregates}),),
    reconcile,
)
