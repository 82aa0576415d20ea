"""What was asked of the API server, by whom and with what answer: for assertions, and for a person to read.

Stands for kube-apiserver's audit log as far as tests care. Keeps the newest LIMIT requests; a watch is recorded when it
begins. May be read from any thread.
"""

from __future__ import annotations

import fnmatch
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from fakeapi import codec
from fakeapi.protobuf import decode
from fakeapi.request import Answer, Request

LIMIT = 20_000
# Where the name of a new object is looked for in its answer; what is generated is not in the URL.
_HEAD = 2048


class Record(NamedTuple):
    """One request. resource is `pods` or `pods/status`, "" for other paths; seconds until the answer began.

    status is the HTTP status, 0 when the connection was dropped; fault names an injected fault that had a part in it.
    outside: it came over a socket and not from a component in this process.
    """

    at: float
    user: str
    verb: str
    group: str
    version: str
    resource: str
    namespace: str
    name: str
    method: str
    path: str
    query: str
    agent: str
    status: int
    seconds: float
    outside: bool
    fault: str = ""

    def __str__(self) -> str:
        clock = datetime.fromtimestamp(self.at, UTC).strftime("%H:%M:%S.%f")[:-3]
        target = self.path + (f"?{self.query}" if self.query else "")
        fault = f" [{self.fault}]" if self.fault else ""
        answer = self.status or "dropped"
        return f"{clock} {self.user} {self.method} {target} {answer} {self.seconds * 1000:.1f} ms{fault}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return self._asdict()


class Requests(Sequence[Record]):
    """Some requests, oldest first; str() is a log for a person."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: Any) -> Any:
        return self._records[index]

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def __str__(self) -> str:
        return "\n".join(map(str, self._records))

    def __repr__(self) -> str:
        return f"<{len(self)} requests>\n{self}"

    def where(
        self,
        *,
        verb: str | None = None,
        resource: str | None = None,
        namespace: str | None = None,
        name: str | None = None,
        user: str | None = None,
        group: str | None = None,
        method: str | None = None,
        path: str | None = None,
        agent: str | None = None,
        status: int | None = None,
        outside: bool | None = None,
        fault: str | None = None,
    ) -> Requests:
        """Those that match everything given; texts may be patterns (`system:node:*`)."""
        texts = {
            "verb": verb,
            "resource": resource,
            "namespace": namespace,
            "name": name,
            "user": user,
            "group": group,
            "method": method,
            "path": path,
            "agent": agent,
            "fault": fault,
        }
        asked = {key: value for key, value in texts.items() if value is not None}
        return Requests(
            [
                r
                for r in self._records
                if (status is None or r.status == status)
                and (outside is None or r.outside is outside)
                and all(fnmatch.fnmatchcase(getattr(r, key), value) for key, value in asked.items())
            ]
        )


class RequestLog:
    """The log itself: the newest requests, and searching them."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._records: deque[Record] = deque(maxlen=limit)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.all())

    def __getitem__(self, index: Any) -> Any:
        return self.all()[index]

    def __str__(self) -> str:
        return str(self.all())

    def all(self) -> Requests:
        """Every request that is kept, as it is now."""
        return Requests(tuple(self._records))

    def where(
        self,
        *,
        verb: str | None = None,
        resource: str | None = None,
        namespace: str | None = None,
        name: str | None = None,
        user: str | None = None,
        group: str | None = None,
        method: str | None = None,
        path: str | None = None,
        agent: str | None = None,
        status: int | None = None,
        outside: bool | None = None,
        fault: str | None = None,
    ) -> Requests:
        """See Requests.where."""
        return self.all().where(
            verb=verb,
            resource=resource,
            namespace=namespace,
            name=name,
            user=user,
            group=group,
            method=method,
            path=path,
            agent=agent,
            status=status,
            outside=outside,
            fault=fault,
        )

    def clear(self) -> None:
        """Forget them."""
        self._records.clear()

    def state(self) -> tuple[Record, ...]:
        """For set_state."""
        return tuple(self._records)

    def set_state(self, records: Sequence[Record]) -> None:
        """Go back to what the log held then."""
        self._records.clear()
        self._records.extend(records)

    def add(self, request: Request, answer: Answer, seconds: float, fault: str) -> None:
        """Record a request that was answered."""
        info = request.info
        resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
        query = "&".join(f"{k}={v}" for k, values in request.query.items() for v in values)
        self._records.append(
            Record(
                request.now,
                request.user.name,
                info.verb,
                info.group,
                info.version,
                resource,
                info.namespace,
                info.name or _created(request, answer),
                request.method,
                request.path,
                query,
                request.headers.get("user-agent", ""),
                answer.status,
                seconds,
                request.outside,
                fault,
            )
        )


def _created(request: Request, answer: Answer) -> str:
    """The name that a create gave to its object."""
    if request.method != "POST" or answer.status != 201 or not isinstance(answer.body, bytes):
        return ""
    if answer.content_type == codec.PROTOBUF:
        return decode.name_of(answer.body)
    head = answer.body[:_HEAD]
    at = head.find(b'"name":"')
    return head[at + 8 : head.find(b'"', at + 8)].decode("utf-8", "replace") if at >= 0 else ""
