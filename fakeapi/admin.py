"""The endpoints under /fakekube/: reset, snapshots, faults, the clock, the request log, backups. Admins only.

For tests in other languages than Python, which run against `fakekube up -- go test ./...`. JSON in, JSON out:

    GET    /fakekube/                           what there is
    POST   /fakekube/reset                      back to when the cluster was ready
    GET    /fakekube/snapshots                  names
    POST   /fakekube/snapshots/NAME             take one
    POST   /fakekube/snapshots/NAME/restore     go back to it
    DELETE /fakekube/snapshots/NAME             forget it
    GET    /fakekube/faults                     what is injected, and how often each was met
    POST   /fakekube/faults                     one or a list, JSON or YAML: {"effect": "error", "verb": "create"}
    DELETE /fakekube/faults[/ID]                lift all, or one
    GET    /fakekube/clock                      {"now": seconds, "flowing": true}
    POST   /fakekube/clock                      {"advance": seconds} {"freeze": true} {"flow": true}
    GET    /fakekube/requests[?verb=..&user=..] what was asked, as JSON; with ?text as lines
    DELETE /fakekube/requests                   forget it
    GET    /fakekube/backup                     the whole state as one file
    POST   /fakekube/restore                    and back from it
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson
import yaml

from fakeapi import backup, errors
from fakeapi.clock import VirtualClock
from fakeapi.control import Control, ControlError
from fakeapi.faults import FaultError, parse
from fakeapi.request import Answer, Request

if TYPE_CHECKING:
    from fakeapi.app import ApiServer

ADMINS = "system:masters"
_FIELDS = ("verb", "resource", "namespace", "name", "user", "group", "method", "path", "agent", "fault")

Page = Callable[[Control, Request, list[str]], Awaitable[Any]]


async def page(server: ApiServer, request: Request) -> Answer:
    """Answer a request under /fakekube/. ApiError 403, 404, 405, 400."""
    if ADMINS not in request.user.groups:
        raise errors.generic(
            403,
            "Forbidden",
            f'User "{request.user.name}" is not an administrator: the path "{request.path}" is for members of {ADMINS}',
            {},
        )
    control = server.control
    parts = request.path.strip("/").split("/")[1:]
    if control is None:
        raise errors.page_not_found()
    found = PAGES.get(parts[0] if parts else "")
    if found is None:
        raise errors.page_not_found()
    try:
        answer = await found(control, request, parts[1:])
    except (ControlError, FaultError, backup.BackupError) as error:
        raise errors.bad_request(str(error)) from None
    return answer if isinstance(answer, Answer) else Answer(200, orjson.dumps(answer))


async def _body(request: Request) -> Any:
    try:
        return yaml.safe_load(await request.read()) or {}
    except yaml.YAMLError:
        raise errors.bad_request("the body is neither JSON nor YAML") from None


async def _index(control: Control, request: Request, rest: list[str]) -> Any:
    return {"paths": [f"/fakekube/{name}" for name in PAGES if name]}


async def _reset(control: Control, request: Request, rest: list[str]) -> Any:
    _only(request, "POST")
    await control.reset()
    return {}


async def _snapshots(control: Control, request: Request, rest: list[str]) -> Any:
    if not rest:
        _only(request, "GET")
        return {"snapshots": sorted(control.snapshots)}
    name, *action = rest
    if action not in ([], ["restore"]):
        raise errors.page_not_found()
    if request.method == "POST" and not action:
        control.snapshots[name] = control.snapshot()
        return {"name": name, "revision": control.snapshots[name].revision}
    if name not in control.snapshots:
        raise errors.missing("", "snapshots", name)
    if action:
        _only(request, "POST")
        await control.restore(control.snapshots[name])
    else:
        _only(request, "DELETE")
        del control.snapshots[name]
    return {}


async def _faults(control: Control, request: Request, rest: list[str]) -> Any:
    if request.method == "POST" and not rest:
        added = [control.faults.put(fault) for fault in parse(await _body(request))]
        return {"faults": [fault.as_dict() for fault in added]}
    if request.method == "DELETE":
        chosen = [f for f in control.faults if not rest or f.id == rest[0]]
        if rest and not chosen:
            raise errors.missing("", "faults", rest[0])
        for fault in chosen:
            control.faults.remove(fault)
        return {}
    _only(request, "GET")
    return {"faults": [fault.as_dict() for fault in control.faults]}


async def _clock(control: Control, request: Request, rest: list[str]) -> Any:
    clock = control.clock
    if request.method == "POST":
        asked = await _body(request)
        if not isinstance(asked, dict) or not set(asked) <= {"advance", "freeze", "flow"}:
            raise errors.bad_request('the body is {"advance": SECONDS}, {"freeze": true} or {"flow": true}')
        if not isinstance(clock, VirtualClock):
            raise ControlError("this server follows the machine's clock")
        if asked.get("freeze"):
            clock.freeze()
        if asked.get("flow"):
            clock.flow()
        if "advance" in asked:
            if type(asked["advance"]) not in (int, float) or not math.isfinite(asked["advance"]):
                raise errors.bad_request("advance is a number of seconds")
            await control.advance(float(asked["advance"]))
    else:
        _only(request, "GET")
    return {"now": clock.now(), "flowing": not isinstance(clock, VirtualClock) or clock.flowing}


async def _requests(control: Control, request: Request, rest: list[str]) -> Any:
    if request.method == "DELETE":
        control.requests.clear()
        return {}
    _only(request, "GET")
    asked = {name: request.option(name) for name in _FIELDS if name in request.query}
    found = control.requests.all().where(**asked)  # type: ignore[arg-type]
    if "status" in request.query:
        if not request.option("status").isdigit():
            raise errors.bad_request("status is a number")
        found = found.where(status=int(request.option("status")))
    if "text" in request.query:
        return Answer(200, f"{found}\n".encode(), "text/plain; charset=utf-8")
    return {"requests": [record.as_dict() for record in found]}


async def _backup(control: Control, request: Request, rest: list[str]) -> Any:
    _only(request, "GET")
    snapshot = control.snapshot()
    data = backup.dump(snapshot.entries, snapshot.revision, control.server.config.minor)
    return Answer(200, data, "application/octet-stream")


async def _restore(control: Control, request: Request, rest: list[str]) -> Any:
    _only(request, "POST")
    entries, revision = backup.load(await request.read())
    await control.replace(entries, revision)
    return {"objects": len(entries)}


def _only(request: Request, method: str) -> None:
    if request.method != method:
        raise errors.not_allowed()


PAGES: dict[str, Page] = {
    "": _index,
    "reset": _reset,
    "snapshots": _snapshots,
    "faults": _faults,
    "clock": _clock,
    "requests": _requests,
    "backup": _backup,
    "restore": _restore,
}
