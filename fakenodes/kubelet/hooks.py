"""Lifecycle hooks: how long a container's postStart or preStop takes, and what it fails with.

Stands for pkg/kubelet/lifecycle (handlers.go). What the script says goes first; without it `sleep` takes its time, an
`exec` does what its command line says, and an `httpGet` wants somebody to listen on the port: whatever is answered is
well, as it is to the kubelet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from fakeapi.gofmt import go_quote
from fakenodes.kubelet.podstate import Container, Pod, World
from fakenodes.kubelet.runtime import http
from fakenodes.kubelet.runtime.commandline import from_command
from fakenodes.kubelet.runtime.script import HttpRequest, Script, scripted_answer

Obj = Mapping[str, Any]
POST_START, PRE_STOP = "postStart", "preStop"


class Outcome(Struct, frozen=True):
    """seconds until it ends, inf for never; problem: the message of a hook that fails, "" for one that is well."""

    seconds: float
    problem: str = ""


def run(pod: Pod, container: Container, world: World, name: str) -> Outcome | None:
    """What becomes of the hook POST_START or PRE_STOP, None where there is none."""
    handler = (container.spec.get("lifecycle") or {}).get(name)
    if not handler:
        return None
    script = container.script
    given = (script.post_start_seconds, script.post_start_error) if name == POST_START else (
        script.pre_stop_seconds, script.pre_stop_error)  # fmt: skip
    seconds, error = given
    found = _handled(pod, container, world, handler)
    return Outcome(
        found.seconds if seconds is None else seconds,
        _message(pod, container, handler, error) if error else found.problem,
    )


def _handled(pod: Pod, container: Container, world: World, handler: Obj) -> Outcome:
    if handler.get("exec"):
        command = handler["exec"].get("command") or ()
        seconds, code, output = _command(container.script, command)
        line = " ".join(command)
        error = f"command '{line}' exited with {code}: " if code else ""
        return Outcome(seconds, _message(pod, container, handler, error, output) if error else "")
    if handler.get("httpGet"):
        error = _get(pod, container, world, handler["httpGet"])
        return Outcome(0.0, _message(pod, container, handler, error) if error else "")
    if handler.get("sleep"):
        return Outcome(float(handler["sleep"].get("seconds", 0)))
    return Outcome(0.0, f"Cannot run handler: invalid handler: {handler}")


def _command(script: Script, command: Sequence[str]) -> tuple[float, int, str]:
    """Seconds, exit code and output of a command line."""
    answer = scripted_answer(script, command)
    if answer is not None:
        return 0.0, *answer
    known = from_command(command, True)
    output = "".join(f"{line}\n" for _, line in known.logs)
    return float("inf") if known.run_seconds is None else known.run_seconds, known.exit_code, output


def _get(pod: Pod, container: Container, world: World, action: Obj) -> str:
    """Ask the port; what went wrong."""
    port = _port(container, action.get("port", 80))
    path = "/" + action.get("path", "").lstrip("/")
    if port is None:
        return f"couldn't find port: {action.get('port')} in {container.name}"
    if action.get("host"):
        return ""  # elsewhere, which nothing here leads to
    listening = http.listener(pod, port)
    if listening is None:
        where = f"{world.address}:{port}"
        scheme = action.get("scheme", "HTTP").lower()
        return f'Get "{scheme}://{where}{path}": dial tcp {where}: connect: connection refused'
    if listening.script.serve is not None:
        headers = {h["name"].lower(): h.get("value", "") for h in action.get("httpHeaders") or ()}
        request = HttpRequest("GET", path, {"host": f"{world.address}:{port}", **headers}, b"", port)
        world.asked.append((listening.script.serve, request))
    return ""


def _port(container: Container, wanted: int | str) -> int | None:
    if isinstance(wanted, int) or wanted.isdigit():
        return int(wanted)
    named = (p["containerPort"] for p in container.spec.get("ports") or () if p.get("name") == wanted)
    return next(named, None)


def _message(pod: Pod, container: Container, handler: Obj, error: str, output: str = "") -> str:
    """A failure in the kubelet's words; they reach the status, not the event."""
    where = f'for Container "{container.name}" in Pod "{pod.full_name}" failed - error: {error}'
    if handler.get("exec"):
        words = " ".join(handler["exec"].get("command") or ())
        return f"Exec lifecycle hook ([{words}]) {where}, message: {go_quote(output)}"
    if handler.get("httpGet"):
        return f"HTTP lifecycle hook ({handler['httpGet'].get('path', '')}) {where}"
    return f"Sleep lifecycle hook ({(handler.get('sleep') or {}).get('seconds', 0)}) {where}"
