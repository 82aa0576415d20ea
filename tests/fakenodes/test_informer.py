from __future__ import annotations

import asyncio
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


class Script:
    """A client whose lists and watches are scripted; it blocks when the script is over."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.calls: list[tuple[str, str]] = []

    async def list(self, gvr: Any, namespace: str = "", **options: Any) -> ListPage:
        self.calls.append(("list", options.get("continue_", "")))
        step = self.steps.pop(0) if self.steps else await asyncio.Event().wait()
        if isinstance(step, Exception):
            raise step
        return step

    async def watch(self, gvr: Any, namespace: str = "", **options: Any) -> AsyncIterator[WatchEvent]:
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
            "+a +b +c -c ~b +d",
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
    async def main() -> None:
        clock, client = ManualClock(), Script(*steps)
        informer = Informer(client, CONFIG_MAPS, clock)  # type: ignore[arg-type]
        seen = told(informer)
        informer.start()
        for _ in range(60):
            await asyncio.sleep(0)
            clock.advance(20)
        assert " ".join(seen) == log
        assert " ".join(f"{verb}:{at}" for verb, at in client.calls) == calls
        await informer.stop()

    asyncio.run(main())


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
            await asyncio.wait_for(body(client), 20)

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
        for _ in range(1000):
            if len(seen) == 3:
                break
            await asyncio.sleep(0.002)
        assert seen == ["+early", "+late", "-early"]
        assert [o["metadata"]["name"] for o in informer.list("default")] == ["late"]
        after: list[str] = []
        informer.add_handler(lambda o: after.append(o["metadata"]["name"]))
        assert after == ["late"]
        await factory.stop()

    run(kind, body)
