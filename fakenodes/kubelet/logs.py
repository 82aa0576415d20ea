"""What a container has written: the lines of its script up to now, cut as the request asks.

Stands for kuberuntime/logs and the checks of kubelet_pods.go (validateContainerLogStatus). Nothing is stored: a line's
time is its script's offset after the start of the container's run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from fakeapi.clock import parse_rfc3339
from fakenodes.kubelet.podstate import Container, Pod
from fakenodes.kubelet.status import lost, waiting_reason

WAITING_TEXTS = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}

Line = tuple[float, str]


class LogError(Exception):
    """The answer 400 with its text."""


class Options(Struct, frozen=True):
    """PodLogOptions. since is a time in seconds since the epoch, None for the beginning."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: float | None = None
    limit: int | None = None


def parse_options(query: Mapping[str, str], now: float) -> Options:
    """From a query; ValueError for what is no number or time."""
    since = parse_rfc3339(query["sinceTime"]) if query.get("sinceTime") else None
    if query.get("sinceSeconds"):
        since = now - int(query["sinceSeconds"])
    return Options(
        follow=query.get("follow") in ("true", "1"),
        previous=query.get("previous") in ("true", "1"),
        timestamps=query.get("timestamps") in ("true", "1"),
        tail=int(query["tailLines"]) if query.get("tailLines") else None,
        since=since,
        limit=int(query["limitBytes"]) if query.get("limitBytes") else None,
    )


class Run(Struct, frozen=True):
    """One run of a container: ended is None while it goes on."""

    id: str
    started: float
    ended: float | None


def choose_run(pod: Pod, container: Container, previous: bool) -> Run:
    """The run whose log is asked for; LogError when there is none."""
    name = pod.obj["metadata"]["name"]
    last = container.last
    if previous:
        if last is None:
            raise LogError(f'previous terminated container "{container.name}" in pod "{name}" not found')
        return Run(last[5], last[0], last[1])
    if container.running:
        return Run(container.id, container.started_at, None)
    if container.ended:
        return Run(container.id, container.started_at, container.finished_at)
    if last is not None:
        return Run(last[5], last[0], last[1])
    if lost(pod, container):
        raise LogError(f'container "{container.name}" in pod "{name}" is terminated')
    reason = container.reason or waiting_reason(pod)
    reason = WAITING_TEXTS.get(reason, reason)
    raise LogError(f'container "{container.name}" in pod "{name}" is waiting to start: {reason}')


def written(container: Container, run: Run, now: float) -> list[Line]:
    """(time, text) of every line so far; a container that could not be run has none."""
    if not run.started:
        return []
    end = now if run.ended is None else run.ended
    return [(run.started + after, text) for after, text in container.script.logs if run.started + after <= end]


def select(lines: list[Line], options: Options) -> list[Line]:
    """The last `tail` of the lines, of these the ones since."""
    chosen = lines if options.tail is None else lines[max(len(lines) - options.tail, 0) :]
    return [line for line in chosen if options.since is None or line[0] >= options.since]


def render(lines: list[Line], timestamps: bool) -> bytes:
    """The text as it is sent."""
    return "".join(f"{_stamp(moment)} {text}\n" if timestamps else f"{text}\n" for moment, text in lines).encode()


def _stamp(moment: float) -> str:
    whole = int(moment)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{int((moment - whole) * 1_000_000):06d}000Z"


def next_line(container: Container, run: Run, now: float) -> float | None:
    """When the next line comes, None for no more."""
    times = [run.started + after for after, _ in container.script.logs if run.started + after > now]
    return min(times, default=None)
