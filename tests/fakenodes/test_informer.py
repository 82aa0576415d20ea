from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from fakeapi.clock import RealClock
from fakenodes.client.base import ClientError, ListPage, Obj, WatchEvent
from fakenodes.client.gvrs import CONFIG_MAPS
from fakenodes.informer import Informer, InformerFactory, Store, key_of
from tests.fakenodes.servers import ManualClock, clients


def thing(name: str, version: int, uid: str = "", **labels: str) -> Obj:
    meta = {"name": name, "namespace": "n", "uid": uid or f"u-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**meta, "labels": labels}}


def end_of_initial(version: str) -> WatchEvent:
    meta = {"resourceVersion": version, "annotations": {"k8s.io/initial-events-end": "true"}}
    return WatchEvent("BOOKMARK", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})


class Script:
    """A client whose lists and watches are scripted; it blocks when the script is over. streams: a watch may begin
    with what there is, which is then a step with what a list would give.
    """

    def __init__(self, *steps: Any, streams: bool = False) -> None:
        self.steps = list(steps)
        self.streams = streams
        self.calls: list[tuple[str, str]] = []

    async def list(self, gvr: Any, namespace: str = "", **options: Any) -> ListPage:
        self.calls.append(("list", options.get("continue_", "")))
        step = self.steps.pop(0) if self.steps else await asyncio.Event().wait()
        if isinstance(step, Exception):
            raise step
        return step

    async def watch(self, gvr: Any, namespace: str = "", **options: Any) -> AsyncIterator[WatchEvent]:
        if options["initial_events"]:
            if not self.streams:
                raise ClientError({"code": 422, "reason": "Invalid", "message": "sendInitialEvents: Forbidden"})
            page = await self.list(gvr, namespace)
            for obj in page.items:
                yield WatchEvent("ADDED", obj)
            yield end_of_initial(page.resource_version)
        else:
            self.calls.append(("watch", options["resource_version"]))
        if not self.steps or isinstance(self.steps[0], ListPage):
            await asyncio.Event().wait()
        for event in self.steps.pop(0):
            if isinstance(event, Exception):
                raise event
            yield event


def told(informer: Informer) -> list[str]:
    log: list[str] = []
    informer.add_handler(
        lambda o: log.append(f"+{o['metadata']['name']}"),
        lambda a, b: log.append(f"~{b['metadata']['name']}"),
        lambda o: log.append(f"-{o['metadata']['name']}"),
    )
    return log


EXPIRED = WatchEvent("ERROR", {"kind": "Status", "code": 410, "message": "too old"})
GONE = ClientError({"code": 410, "reason": "Expired", "message": "too old"})


@pytest.mark.parametrize(
    ("steps", "log", "calls"),
    [
        (
            [
                ListPage([thing("a", 1)], "5"),
                [
                    WatchEvent("ADDED", thing("b", 6)),
                    WatchEvent("MODIFIED", thing("a", 7)),
                    WatchEvent("DELETED", thing("b", 8)),
                ],
            ],
            "+a +b ~a -b",
            "list: watch:5 watch:8",
        ),
        # pages
        ([ListPage([thing("a", 1)], "5", "more"), ListPage([thing("b", 2)], "5")], "+a +b", "list: list:more watch:5"),
        # a bookmark moves the place to go on from
        (
            [ListPage([], "5"), [WatchEvent("BOOKMARK", thing("", 9)), ConnectionError("cut")]],
            "",
            "list: watch:5 watch:9",
        ),
        # a cut stream goes on where it was, without doubles
        (
            [
                ListPage([thing("a", 1)], "5"),
                [WatchEvent("ADDED", thing("b", 6)), ConnectionError("cut")],
                [WatchEvent("ADDED", thing("b", 6)), WatchEvent("ADDED", thing("c", 7))],
            ],
            "+a +b +c",
            "list: watch:5 watch:6 watch:7",
        ),
        # the history is gone: what has changed meanwhile is told once
        (
            [
                ListPage([thing("a", 1), thing("b", 2), thing("c", 3)], "5"),
                [EXPIRED],
                ListPage([thing("a", 1), thing("b", 8), thing("d", 9)], "10"),
            ],
            "+a +b +c ~b +d -c",
            "list: watch:5 list: watch:10",
        ),
        # made anew under the same name while nobody looked: two objects
        (
            [ListPage([thing("a", 1)], "5"), [GONE], ListPage([thing("a", 9, "other")], "10")],
            "+a -a +a",
            "list: watch:5 list: watch:10",
        ),
        # a server that was away may be another one: list again, though the versions look newer than what is known
        (
            [ListPage([thing("a", 1)], "5"), [ConnectionError("cut")], [ConnectionError("refused")], ListPage([], "3")],
            "+a -a",
            "list: watch:5 watch:5 list: watch:3",
        ),
        # the first list fails
        ([ConnectionError("refused"), ListPage([thing("a", 1)], "5")], "+a", "list: list: watch:5"),
    ],
)
def test_what_is_told(steps: list[Any], log: str, calls: str) -> None:
    assert follow(Script(*steps)) == (log, calls)
    if "more" not in calls:
        # The watch that begins with what there is comes instead of a list and a watch.
        assert follow(Script(*steps, streams=True)) == (log, re.sub(r"list: watch:\d+", "list:", calls))


def follow(client: Script) -> tuple[str, str]:
    """What an informer told of, and what it asked for."""

    async def main() -> tuple[str, str]:
        clock = ManualClock()
        informer = Informer(client, CONFIG_MAPS, clock)  # type: ignore[arg-type]
        seen = told(informer)
        informer.start()
        for _ in range(60):
            await asyncio.sleep(0)
            clock.advance(20)
        await informer.stop()
        return " ".join(seen), " ".join(f"{verb}:{at}" for verb, at in client.calls)

    return asyncio.run(main())


class Streams(Script):
    """Its watches are the steps, whatever they begin with."""

    async def watch(self, gvr: Any, namespace: str = "", **options: Any) -> AsyncIterator[WatchEvent]:
        self.calls.append(("begin" if options["initial_events"] else "watch", options["resource_version"]))
        if not self.steps:
            await asyncio.Event().wait()
        for event in self.steps.pop(0):
            yield event


def test_changes_come_among_what_there_is() -> None:
    begun = [
        WatchEvent("ADDED", thing("a", 1)),
        WatchEvent("ADDED", thing("b", 2)),
        WatchEvent("BOOKMARK", thing("", 3)),
        WatchEvent("DELETED", thing("a", 4)),
        WatchEvent("MODIFIED", thing("b", 5)),
        end_of_initial("5"),
        WatchEvent("ADDED", thing("c", 6)),
    ]
    assert follow(Streams(begun)) == ("+a +b -a ~b +c", "begin: watch:6")


def test_a_stream_that_ends_too_soon_begins_again() -> None:
    a, b = WatchEvent("ADDED", thing("a", 1)), WatchEvent("ADDED", thing("b", 2))
    assert follow(Streams([a], [b, end_of_initial("2")])) == ("+a +b -a", "begin: begin: watch:2")


def test_a_history_that_is_always_gone_is_asked_for_less_and_less() -> None:
    """Else a server that cannot serve a watch would be asked again without a pause."""

    async def main() -> int:
        clock, begun = ManualClock(), [WatchEvent("ADDED", thing("a", 1)), EXPIRED]
        client = Streams(*[begun] * 50)
        informer = Informer(client, CONFIG_MAPS, clock)  # type: ignore[arg-type]
        informer.start()
        for _ in range(60):
            await asyncio.sleep(0)
        await informer.stop()
        return len(client.calls)

    assert asyncio.run(main()) == 2


def test_the_store_indexes_and_forgets_parsed_objects_not_bytes() -> None:
    store = Store(parsed=2)
    store.add_index("colour", lambda o: [v for k, v in o["metadata"]["labels"].items() if k == "colour"])
    for i in range(5):
        obj = thing(f"t{i}", i, colour="red" if i % 2 else "blue")
        store.put(key_of(obj), obj, b'{"metadata":{"name":"t%d","labels":{}}}' % i)
    assert store.index_keys("colour", "blue") == ["n/t0", "n/t2", "n/t4"]
    store.put("n/t0", thing("t0", 9, colour="red"), b"{}")
    store.remove("n/t4")
    assert store.index_keys("colour", "blue") == ["n/t2"]
    assert sorted(store.index_keys("colour", "red")) == ["n/t0", "n/t1", "n/t3"]
    assert sorted(store.index_values("colour")) == ["blue", "red"]
    found = store.get("n/t1")
    assert found is not None
    assert found["metadata"]["name"] == "t1"
    assert (len(store), store.version("n/t0"), store.get("n/none")) == (4, "9", None)


def run(kind: str, body: Callable[[Any], Awaitable[None]]) -> None:
    async def main() -> None:
        async with clients(kind) as client:
            await asyncio.wait_for(body(client), 90)

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["inprocess", "http"])
def test_a_shared_informer_follows_a_server(kind: str) -> None:
    async def body(client: Any) -> None:
        await client.create(CONFIG_MAPS, {"metadata": {"name": "early"}}, "default")
        factory = InformerFactory(client, RealClock())
        informer = factory.informer(CONFIG_MAPS, namespace="default")
        assert factory.informer(CONFIG_MAPS, namespace="default") is informer
        seen = told(informer)
        await factory.start()
        await client.create(CONFIG_MAPS, {"metadata": {"name": "late"}}, "default")
        await client.delete(CONFIG_MAPS, "early", "default")
        while len(seen) < 3:
            await asyncio.sleep(0.002)
        assert seen == ["+early", "+late", "-early"]
        assert [o["metadata"]["name"] for o in informer.list("default")] == ["late"]
        after: list[str] = []
        informer.add_handler(lambda o: after.append(o["metadata"]["name"]))
        assert after == ["late"]
        await factory.stop()

    run(kind, body)
