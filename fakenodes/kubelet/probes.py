"""A container's probes, looked at when the kubelet would: what they find, and what follows from it.

Stands for pkg/kubelet/prober. A probe finds what the container's script says of that moment. Looks that can only repeat
what is known already are left out, so that a healthy container costs nothing. Leaves out the random phase of the first
look and timeouts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fakenodes.kubelet.podstate import Container, Probe
from fakenodes.kubelet.runtime.script import Script

Obj = Mapping[str, Any]
STARTUP, READINESS, LIVENESS = "startup", "readiness", "liveness"


def begin(container: Container, age: float) -> None:
    """The container counts as running, `age` seconds after its start."""
    container.probes = [
        Probe(kind, spec, max(float(spec.get("initialDelaySeconds", 0)), age))
        for kind in (STARTUP, READINESS, LIVENESS)
        if (spec := container.spec.get(f"{kind}Probe")) is not None
    ]
    _conclude(container)


def look(container: Container, age: float, address: str) -> tuple[list[str], str]:
    """Look as often as is due `age` seconds after the start.

    Sets started and ready. Gives what is said of failures, and the kind of the probe that calls for a kill, or "".
    """
    failures: list[str] = []
    for probe in container.probes:
        while probe.due is not None and probe.due <= age and _counts(container, probe):
            at = probe.due
            well = _well(probe.kind, container.script, at)
            probe.streak = probe.streak + 1 if well is probe.well else 1
            probe.well = well
            if not well:
                failures.append(f"{probe.kind.title()} probe failed: {_output(probe.spec, container, address)}")
            if probe.streak >= _threshold(probe):
                probe.passed = well
                if not well and probe.kind != READINESS:
                    return failures, probe.kind
            probe.due = _next(probe, container.script, at)
        if probe.kind == STARTUP and probe.passed:
            for other in container.probes:
                if other.due is not None and other is not probe and not other.streak:
                    other.due = max(other.due, age)
        _conclude(container)
    return failures, ""


def due(container: Container) -> float | None:
    """Seconds after the start of the next look of any probe."""
    return min((p.due for p in container.probes if p.due is not None and _counts(container, p)), default=None)


def _counts(container: Container, probe: Probe) -> bool:
    """Is it this probe's time? Others wait for the startup probe."""
    return probe.kind == STARTUP or container.started


def _conclude(container: Container) -> None:
    passed = {p.kind: bool(p.passed) for p in container.probes}
    container.started = passed.get(STARTUP, True)
    container.ready = container.started and passed.get(READINESS, True)


def _threshold(probe: Probe) -> int:
    name, usual = ("successThreshold", 1) if probe.well else ("failureThreshold", 3)
    return int(probe.spec.get(name, usual))


def _well(kind: str, script: Script, age: float) -> bool:
    if kind == LIVENESS:
        return script.live_for is None or age < script.live_for
    return script.ready_at(age) if kind == READINESS else script.up_at(age)


def _next(probe: Probe, script: Script, at: float) -> float | None:
    """The next look; None when nothing can come of any. A startup probe that has passed has done its work."""
    period = float(probe.spec.get("periodSeconds", 10))
    if not probe.well or probe.streak < _threshold(probe):
        return at + period
    if probe.kind == STARTUP:
        return None
    turn = next((t for t in _turns(probe.kind, script) if t > at), None)
    return None if turn is None else at + max(-(-(turn - at) // period), 1.0) * period


def _turns(kind: str, script: Script) -> Iterator[float]:
    """When what the script says of it may change, in order."""
    if kind == READINESS:
        yield from script.turns
    elif script.live_for is not None:
        yield script.live_for


def _output(spec: Obj, container: Container, address: str) -> str:
    """What a probe of that kind says when it fails."""
    if spec.get("exec"):
        return ""
    if spec.get("grpc"):
        return 'service unhealthy (responded with "NOT_SERVING")'
    if spec.get("tcpSocket"):
        port = spec["tcpSocket"].get("port", 0)
        named = {p.get("name"): p["containerPort"] for p in container.spec.get("ports") or ()}
        return f"dial tcp {address}:{named.get(port, port)}: connect: connection refused"
    return "HTTP probe failed with statuscode: 503"
