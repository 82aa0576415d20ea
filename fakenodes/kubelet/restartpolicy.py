"""Whether a container that has ended starts again: its own rules, its own policy, its pod's policy.

Stands for pkg/api/v1/pod's ContainerShouldRestart and IsContainerRestartable. Leaves out the action
RestartAllContainers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakenodes.kubelet.podstate import EPHEMERAL, INIT, Container

Obj = Mapping[str, Any]
ALWAYS, NEVER = "Always", "Never"


def restarts(pod: Obj, container: Container) -> bool:
    """Does the container start again after it has ended as it has?"""
    if container.kind == EPHEMERAL:
        return False
    if container.again:
        return True
    if container.kind == INIT and not container.exit_code:
        return False
    if any(_matches(rule, container.exit_code) for rule in container.spec.get("restartPolicyRules") or ()):
        return True
    policy = _policy(pod, container.spec)
    return policy == ALWAYS or (policy != NEVER and container.exit_code != 0)


def restartable(pod: Obj, container: Container) -> bool:
    """Can the container start again at all?"""
    return bool(container.spec.get("restartPolicyRules")) or _policy(pod, container.spec) != NEVER


def _policy(pod: Obj, container: Obj) -> str:
    found: str = container.get("restartPolicy") or pod["spec"].get("restartPolicy") or ALWAYS
    return found


def _matches(rule: Obj, code: int) -> bool:
    wanted = rule.get("exitCodes") or {}
    listed = code in (wanted.get("values") or ())
    return rule.get("action") == "Restart" and listed is (wanted.get("operator") == "In")
