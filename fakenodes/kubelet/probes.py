"""When a container's probes have which effect, computed from its script instead of by probing.

Stands for pkg/kubelet/prober.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakenodes.kubelet.podstate import Container

Obj = Mapping[str, Any]


def turning_points(container: Container) -> list[float]:
    """Seconds after the start at which something about the container changes by its probes."""
    return [t for t in probed(container) if t is not None]


def probed(container: Container) -> tuple[float, float | None, float | None]:
    """Seconds after the start at which it counts as started, as ready (None never), and is killed (None never)."""
    script, spec = container.script, container.spec
    up = script.ready_after if script.ready_after is not None else None
    startup = spec.get("startupProbe")
    started_at = _first_success(startup, 0.0, up) if startup is not None else 0.0
    if started_at is None:
        limit = (startup or {}).get("failureThreshold", 3) * (startup or {}).get("periodSeconds", 10)
        return float("inf"), None, float((startup or {}).get("initialDelaySeconds", 0) + limit)
    ready_at = (
        _first_success(spec["readinessProbe"], started_at, up) if spec.get("readinessProbe") is not None else started_at
    )
    dies_at = None
    probe = spec.get("livenessProbe")
    if probe is not None and script.live_for is not None:
        dies_at = max(script.live_for, started_at) + probe.get("failureThreshold", 3) * probe.get("periodSeconds", 10)
    return started_at, ready_at, dies_at


def _first_success(probe: Obj, since: float, up: float | None) -> float | None:
    """When enough probes have succeeded: they come every period, the first after the initial delay."""
    if up is None:
        return None
    period = float(probe.get("periodSeconds", 10))
    first = since + float(probe.get("initialDelaySeconds", 0))
    late = max(up - first, 0.0)
    misses = int(-(-late // period))
    return first + (misses + int(probe.get("successThreshold", 1)) - 1) * period
