"""Faults that a test injects: which requests they meet and what happens to those.

A fault is a row: whom it matches (verb, resource, namespace, name, user: exact, or patterns as `system:node:*`), how
often (probability, count, after), and one effect of EFFECTS. They act on every request after authentication, so on
those of the cluster's own components too. Latency is real time, as a network's is. Leaves out faults of the stores
themselves.
"""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import math
import os
import random
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import yaml
from msgspec import Struct
from msgspec.structs import fields, replace

from fakeapi import codec, errors
from fakeapi.clock import RealClock
from fakeapi.errors import ApiError
from fakeapi.request import Answer, Request

# effect -> what it does
EFFECTS: dict[str, str] = {
    "error": "answer with a Status of `code`, `reason` and `message`; nothing else happens",
    "latency": "wait `seconds` first",
    "drop": "close the connection without an answer; the request does not take place",
    "lost": "the request takes place, then the connection is closed without an answer",
    "throttle": "429 of priority and fairness, with Retry-After: `retry_after`",
    "timeout": "wait `seconds`, then answer as when etcd does not",
    "cut": "a watch's connection breaks after `seconds` or `events` events",
    "stall": "a watch falls silent after `seconds` or `events` events, and stays open until the fault is lifted",
    "gone": "a watch is told 410 Expired after `seconds` or `events` events, and ends",
    "stale": "get and list see the state as it was when the fault was added",
}
STREAMS = frozenset({"cut", "stall", "gone"})
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
# What a field's value may be: files and requests are written by people.
_TYPES: Mapping[Any, tuple[Any, str]] = {
    str: (str, "a text"),
    float: (int | float, "a number"),
    int: (int, "a whole number"),
    int | None: (int | None, "a whole number"),
}
DROPPED = 0
_INSIDE = ("passed", "revision", "lifted")
ETCD_TIMEOUT = "etcdserver: request timed out"
THROTTLED = b"Too many requests, please try again later.\n"
_POLL = 0.02
_EXPIRED = "The resourceVersion for the provided watch is too old."

Serve = Callable[[Request], Awaitable[Answer]]


class FaultError(ValueError):
    """A fault that makes no sense; the message is one line for a person."""


class Fault(Struct):
    """One fault. As a context manager it is taken away at the end of the block.

    probability: of meeting a matching request. count: how many it meets at most, None for no end. after: how many
    matching ones it lets pass first. hits: how many it has met.
    """

    effect: str
    verb: str = "*"
    resource: str = "*"
    namespace: str = "*"
    name: str = "*"
    user: str = "*"
    group: str = "*"
    probability: float = 1.0
    count: int | None = None
    after: int = 0
    code: int = 500
    reason: str = ""
    message: str = ""
    seconds: float = 0.0
    events: int | None = None
    retry_after: int = 1
    id: str = ""
    hits: int = 0
    passed: int = 0
    revision: int = 0
    lifted: bool = False
    _faults: Faults | None = None

    def matches(self, request: Request) -> bool:
        """Whether the request is one of those that it is about."""
        info = request.info
        if (self.effect in STREAMS and info.verb != "watch") or (
            self.effect == "stale" and info.verb not in ("get", "list")
        ):
            return False
        resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
        found = (
            (self.verb, info.verb),
            (self.resource, resource),
            (self.namespace, info.namespace),
            (self.name, info.name),
            (self.user, request.user.name),
            (self.group, info.group),
        )
        return all(wanted == "*" or wanted == value or fnmatch.fnmatchcase(value, wanted) for wanted, value in found)

    def remove(self) -> None:
        """Take it away; harmless when it is gone."""
        if self._faults is not None:
            self._faults.remove(self)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what differs from the defaults."""
        shown = [f for f in fields(self) if not f.name.startswith("_") and f.name not in _INSIDE]
        return {
            f.name: getattr(self, f.name)
            for f in shown
            if f.name in ("id", "effect", "hits") or getattr(self, f.name) != f.default
        }

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


def check(fault: Fault) -> None:
    """FaultError when the fault makes no sense."""
    for field in fields(fault):
        kinds, what = _TYPES.get(field.type, (object, ""))
        value = getattr(fault, field.name)
        if not isinstance(value, kinds) or isinstance(value, bool) is not (field.type is bool):
            raise FaultError(f"{field.name} {value!r} is not {what}")
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise FaultError(f"{field.name} {value!r} is not a number of at least 0")
    if fault.effect not in EFFECTS:
        raise FaultError(f"there is no fault {fault.effect!r}; there are {', '.join(EFFECTS)}")
    if not 0.0 <= fault.probability <= 1.0:
        raise FaultError(f"probability {fault.probability} is not between 0 and 1")
    if fault.effect == "error" and not 400 <= fault.code <= 599:
        raise FaultError(f"{fault.code} is not the code of an error")


def parse(found: Any) -> list[Fault]:
    """Faults from the content of a YAML or JSON file: a mapping with Fault's fields, or a list of them. FaultError."""
    rows = found if isinstance(found, list) else [found]
    known = {f.name for f in fields(Fault) if f.name not in ("id", "hits", "_faults", *_INSIDE)}
    faults = []
    for row in rows:
        if not isinstance(row, Mapping) or "effect" not in row:
            raise FaultError("a fault is a mapping with an `effect`")
        for key in row:
            if key not in known:
                raise FaultError(f"a fault has no {key!r}; it has {', '.join(sorted(known))}")
        fault = Fault(**row)
        check(fault)
        faults.append(fault)
    return faults


def read(path: str | os.PathLike[str]) -> list[Fault]:
    """The faults of a YAML or JSON file, see parse(). FaultError."""
    try:
        return parse(yaml.safe_load(Path(path).read_text()))
    except OSError as error:
        raise FaultError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError):
        raise FaultError(f"{path} is not YAML") from None
    except FaultError as error:
        raise FaultError(f"{path}: {error}") from None


class Faults:
    """The faults of one server. May be changed and read from any thread."""

    def __init__(self, seed: int | None = None) -> None:
        self._rows: tuple[Fault, ...] = ()
        self._rng = random.Random(seed)
        self._lock = threading.Lock()
        self._serial = itertools.count(1)
        self.revision: Callable[[], int] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._rows)

    def add(
        self,
        effect: str,
        *,
        verb: str = "*",
        resource: str = "*",
        namespace: str = "*",
        name: str = "*",
        user: str = "*",
        group: str = "*",
        probability: float = 1.0,
        count: int | None = None,
        after: int = 0,
        code: int = 500,
        reason: str = "",
        message: str = "",
        seconds: float = 0.0,
        events: int | None = None,
        retry_after: int = 1,
    ) -> Fault:
        """Inject a fault until it is removed; EFFECTS says what there is, Fault what the rest means. FaultError."""
        return self.put(
            Fault(
                effect,
                verb,
                resource,
                namespace,
                name,
                user,
                group,
                probability,
                count,
                after,
                code,
                reason,
                message,
                seconds,
                events,
                retry_after,
            )
        )

    def load(self, path: str | os.PathLike[str]) -> list[Fault]:
        """Inject those of a YAML or JSON file: a mapping with add()'s names, or a list of them. FaultError."""
        return [self.put(fault) for fault in read(path)]

    def put(self, fault: Fault) -> Fault:
        """Inject it. FaultError."""
        check(fault)
        if fault.effect == "stale" and self.revision is None:
            raise FaultError("this store knows no earlier state to be stale with")
        with self._lock:
            fault.id = fault.id or str(next(self._serial))
            fault.revision = self.revision() if self.revision is not None else 0
            fault._faults = self
            self._rows = (*self._rows, fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Take it away; harmless when it is gone."""
        with self._lock:
            fault.lifted = True
            self._rows = tuple(row for row in self._rows if row is not fault)

    def clear(self) -> None:
        """Take all away."""
        self.set_state(())

    def state(self) -> tuple[Fault, ...]:
        """Copies, for set_state."""
        return tuple(replace(row) for row in self._rows)

    def set_state(self, rows: Iterable[Fault]) -> None:
        """Go back to the faults (and their counts) of then."""
        with self._lock:
            for row in self._rows:
                row.lifted = True
            self._rows = tuple(replace(row) for row in rows)

    def met(self, request: Request) -> list[Fault]:
        """The faults that the request meets; they are counted."""
        if not self._rows:
            return []
        found = []
        with self._lock:
            for fault in self._rows:
                if (fault.count is not None and fault.hits >= fault.count) or not fault.matches(request):
                    continue
                if fault.passed < fault.after:
                    fault.passed += 1
                elif fault.probability >= 1.0 or self._rng.random() < fault.probability:
                    fault.hits += 1
                    found.append(fault)
        return found


async def play(
    request: Request, met: Sequence[Fault], serve: Serve, refuse: Callable[[ApiError, Request], Answer]
) -> Answer:
    """Answer the request as its faults let it be answered; status DROPPED closes the connection."""
    for fault in met:
        if fault.effect in ("latency", "timeout"):
            await _rest(fault)
    for fault in met:
        answer = _instead(fault, request, refuse)
        if answer is not None:
            return answer
    if any(f.effect == "stale" or f.effect in STREAMS for f in met):
        _in_json(request)
    stale = next((f for f in met if f.effect == "stale"), None)
    answer = await (_as_it_was(request, stale.revision, serve) if stale else serve(request))
    if any(f.effect == "lost" for f in met):
        return Answer(DROPPED)
    for fault in met:
        if fault.effect in STREAMS and not isinstance(answer.body, bytes):
            answer.body = _broken(answer.body, fault)
    return answer


def _in_json(request: Request) -> None:
    """Let a client that would rather have protobuf be answered in JSON, which it reads as well: faults change JSON."""
    accept = request.headers.get("accept", "")
    if codec.PROTOBUF in accept:
        request.headers = {**request.headers, "accept": accept.replace(codec.PROTOBUF, codec.JSON)}


async def _rest(fault: Fault) -> None:
    """Let the fault's seconds pass, until it is lifted at most: a server that ends lifts all."""
    loop = asyncio.get_running_loop()
    end = loop.time() + fault.seconds
    while not fault.lifted and (left := end - loop.time()) > 0:
        await RealClock().sleep(min(left, _POLL))


def _instead(fault: Fault, request: Request, refuse: Callable[[ApiError, Request], Answer]) -> Answer | None:
    """The answer of a fault that keeps the request from taking place."""
    if fault.effect == "drop":
        return Answer(DROPPED)
    if fault.effect == "throttle":
        return Answer(
            429,
            THROTTLED,
            "text/plain; charset=utf-8",
            {"Retry-After": str(fault.retry_after), "X-Content-Type-Options": "nosniff"},
        )
    if fault.effect == "timeout":
        return refuse(errors.plain_500(ETCD_TIMEOUT), request)
    if fault.effect != "error":
        return None
    reason = fault.reason or REASONS.get(fault.code, "")
    error = errors.generic(fault.code, reason, fault.message or f"injected fault: {reason or fault.code}")
    if fault.code == 429:
        error.status["details"] = {**error.status.get("details", {}), "retryAfterSeconds": fault.retry_after}
        error.headers = {**error.headers, "Retry-After": str(fault.retry_after)}
    return refuse(error, request)


async def _as_it_was(request: Request, revision: int, serve: Serve) -> Answer:
    """A get or list of an earlier revision: what a member of a cluster answers that has fallen behind."""
    info = request.info
    exact = {"resourceVersion": [str(revision)], "resourceVersionMatch": ["Exact"]}
    if info.verb == "list":
        kept = {
            k: v for k, v in request.query.items() if k not in ("resourceVersion", "resourceVersionMatch", "continue")
        }
        request.query = {**kept, **exact}
        return await serve(request)
    if info.subresource:
        return await serve(request)
    name, whole = info.name, request.path
    narrowed = replace(info, verb="list", name="", parts=info.parts[:1])
    request.info, request.path = narrowed, whole.rsplit("/", 1)[0]
    request.query = {**request.query, **exact, "fieldSelector": [f"metadata.name={name}"]}
    answer = await serve(request)
    request.info, request.path = info, whole
    return _only(answer, request, name)


def _only(answer: Answer, request: Request, name: str) -> Answer:
    """The answer to a get, from that to a list of one."""
    if (
        answer.status != 200
        or not isinstance(answer.body, bytes)
        or not answer.content_type.startswith("application/json")
    ):
        return answer
    found = orjson.loads(answer.body)
    if found.get("kind") == "Table" and found.get("rows"):
        return answer
    items = found.get("items") or []
    if items:
        kind = found["kind"].removesuffix("List")
        answer.body = orjson.dumps({"kind": kind, "apiVersion": found["apiVersion"], **items[0]})
        return answer
    error = errors.missing(request.info.group, request.info.resource, name)
    form = codec.error_form(request.headers.get("accept", ""))
    return Answer(error.code, form.encode(error.status), form.media)


async def _broken(body: AsyncIterator[bytes], fault: Fault) -> AsyncIterator[bytes]:
    """A watch's stream up to the fault, and then what the fault does to it."""
    stream = _lines(body)
    begun = asyncio.get_running_loop().time()
    waiting: asyncio.Future[bytes] = asyncio.ensure_future(_next(stream))
    seen = 0
    try:
        while not _is_time(fault, seen, begun):
            left = begun + fault.seconds - asyncio.get_running_loop().time() if fault.seconds else None
            done, _ = await asyncio.wait({waiting}, timeout=left)
            if done:
                piece = waiting.result()
                if not piece:
                    return
                yield piece
                seen += 1
                waiting = asyncio.ensure_future(_next(stream))
        if fault.effect == "cut":
            raise ConnectionResetError("injected fault: cut")
        if fault.effect == "gone":
            yield b'{"type":"ERROR","object":' + orjson.dumps(errors.gone(_EXPIRED).status) + b"}\n"
            return
        while not fault.lifted:
            await RealClock().sleep(_POLL)
        raise ConnectionResetError("injected fault: stall lifted")
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def _lines(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The events of a watch one by one; the server sends together what happened together."""
    async for piece in body:
        for line in piece.splitlines(keepends=True):
            yield line


async def _next(stream: AsyncIterator[bytes]) -> bytes:
    """The next piece, b"" at the end."""
    return await anext(stream, b"")


def _is_time(fault: Fault, seen: int, begun: float) -> bool:
    if fault.events is not None and seen >= fault.events:
        return True
    if fault.events is None and not fault.seconds:
        return True
    return bool(fault.seconds) and asyncio.get_running_loop().time() >= begun + fault.seconds
