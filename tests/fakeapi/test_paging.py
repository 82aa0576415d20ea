"""Lists: which revision answers, pages, continue tokens, and the texts of refusals."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable

import orjson
import pytest

from fakeapi import watchcache
from fakeapi.errors import ApiError
from fakeapi.paging import decode_continue, decode_options, encode_continue, list_items, parse_revision
from fakeapi.storage.memory import MemoryStorage
from fakeapi.watchcache import WatchCache

PREFIX = "/registry/configmaps/"


def run(test: Callable[[MemoryStorage, WatchCache], Awaitable[None]], names: str = "abcde") -> None:
    """Run a test's coroutine with objects of these names in namespace ns; every second one is labelled x=1."""

    async def main() -> None:
        storage = MemoryStorage()
        cache = WatchCache(storage, PREFIX, namespaced=True)
        await cache.start()
        for i, name in enumerate(names):
            labels = {"labels": {"x": "1"}} if i % 2 == 0 else {}
            value = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": "ns", **labels}}
            await storage.create(f"{PREFIX}ns/{name}", orjson.dumps(value))
        await asyncio.wait_for(test(storage, cache), 90)
        cache.stop()

    asyncio.run(main())


async def names(cache: WatchCache, **query: str) -> tuple[str, str, int | None]:
    """(names, continue, remaining) of a list in ns."""
    found = await list_items(cache, "ns", decode_options(query))
    return "".join(i.name for i in found.items), found.continue_, found.remaining


def token(**fields: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(fields)).rstrip(b"=").decode()


def test_pages_show_one_revision() -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        first, more, remaining = await names(c, limit="2")
        assert (first, remaining) == ("ab", 3)
        assert orjson.loads(base64.urlsafe_b64decode(more + "==")) == {
            "v": "meta.k8s.io/v1",
            "rv": await s.revision(),
            "start": "b\0",
        }
        await s.delete(PREFIX + "ns/c")
        await s.create(PREFIX + "ns/bb", b'{"metadata":{"name":"bb"}}')
        second, more, remaining = await names(c, limit="2", **{"continue": more})
        assert (second, remaining) == ("cd", 1)
        assert await names(c, **{"continue": more, "resourceVersion": "0"}) == ("e", "", None)
        assert await names(c) == ("abbbde", "", None)

    run(test)


def test_selectors_and_limits() -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        found, more, remaining = await names(c, limit="2", labelSelector="x=1")
        assert (found, remaining) == ("ac", None)
        assert await names(c, limit="1", labelSelector="x=1", **{"continue": more}) == ("e", "", None)
        # The tail holds only others: a token, then an empty page.
        found, more, _ = await names(c, limit="3", labelSelector="x notin (1)")
        assert (found, more) == ("bd", "")
        found, more, _ = await names(c, limit="2", labelSelector="x notin (1)")
        assert found == "bd"
        assert await names(c, limit="2", labelSelector="x notin (1)", **{"continue": more}) == ("", "", None)
        assert await names(c, limit="1", fieldSelector="metadata.name=c") == ("c", "", None)
        assert await names(c, limit="-1") == ("abcde", "", None)
        assert await names(c, limit="2", resourceVersion="0") == ("abcde", "", None)

    run(test)


def test_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchcache, "FRESH_SECONDS", 0.01)

    async def test(s: MemoryStorage, c: WatchCache) -> None:
        then = str(await s.revision())
        await s.delete(PREFIX + "ns/a")
        assert (await names(c, resourceVersion=then))[0] == "bcde"
        assert (await names(c, resourceVersion=then, resourceVersionMatch="NotOlderThan"))[0] == "bcde"
        assert (await names(c, resourceVersion=then, resourceVersionMatch="Exact"))[0] == "abcde"
        found, more, _ = await names(c, resourceVersion=then, limit="1")
        assert (found, (await names(c, **{"continue": more}))[0]) == ("a", "bcde")
        for query in ({}, {"resourceVersionMatch": "Exact"}, {"resourceVersionMatch": "NotOlderThan"}):
            with pytest.raises(ApiError) as caught:
                await names(c, resourceVersion="999", **query)
            assert caught.value.code == 504
            assert caught.value.headers == {"Retry-After": "1"}
        await s.compact(await s.revision())
        with pytest.raises(ApiError) as caught:
            await names(c, resourceVersion=then, resourceVersionMatch="Exact")
        assert (caught.value.code, str(caught.value)) == (410, "The resourceVersion for the provided list is too old.")

    run(test)


def test_an_expired_token_is_replaced() -> None:
    async def test(s: MemoryStorage, c: WatchCache) -> None:
        _, more, _ = await names(c, limit="2")
        await s.delete(PREFIX + "ns/c")
        await s.compact(await s.revision())
        with pytest.raises(ApiError) as caught:
            await names(c, limit="2", **{"continue": more})
        assert caught.value.code == 410
        assert str(caught.value).startswith("The provided continue parameter is too old to display a consistent list")
        fresh = caught.value.status["metadata"]["continue"]
        assert decode_continue(fresh, PREFIX + "ns/") == (PREFIX + "ns/b\0", -1)
        assert await names(c, **{"continue": fresh}) == ("de", "", None)

    run(test)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("abc", "invalid character 'i' looking for beginning of value"),
        ("!!!", "illegal base64 data at input byte 0"),
        ("bogus", "illegal base64 data at input byte 4"),
        ("e30", "server does not recognize this encoded version "),
        (token(v="v2", rv=5, start="a\0"), "server does not recognize this encoded version v2"),
        (token(v="meta.k8s.io/v1", start="a"), "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"),
        (token(v="meta.k8s.io/v1", rv=1), "encoded start key empty (version meta.k8s.io/v1)"),
        (token(v="meta.k8s.io/v1", rv=1, start="../a"), "../a"),
        (token(v="meta.k8s.io/v1", rv=1, start="a//b"), "a//b"),
        (
            token(v="meta.k8s.io/v1", rv="1", start="a"),
            "json: cannot unmarshal string into Go struct field continueToken.rv of type int64",
        ),
    ],
)
def test_bad_tokens(text: str, error: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode_continue(text, "/p/")
    head = "invalid continue token: continue key is not valid"
    assert (caught.value.code, str(caught.value)) == (400, f"{head}: {error}")


def test_tokens_round_trip() -> None:
    assert decode_continue(encode_continue("/p/ns/a", "/p/", 7), "/p/") == ("/p/ns/a\0", 7)


MATCH = 'ListOptions.meta.k8s.io "" is invalid: '


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ({"limit": "abc"}, 400, 'strconv.ParseInt: parsing "abc": invalid syntax'),
        ({"limit": ""}, 400, 'strconv.ParseInt: parsing "": invalid syntax'),
        ({"limit": "9" * 30}, 400, f'strconv.ParseInt: parsing "{"9" * 30}": value out of range'),
        ({"timeoutSeconds": "1.5"}, 400, 'strconv.ParseInt: parsing "1.5": invalid syntax'),
        ({"labelSelector": "a=b=c"}, 400, "found '=', expected: ',' or 'end of string'"),
        ({"fieldSelector": "a"}, 400, "invalid selector: 'a'; can't understand 'a'"),
        (
            {"resourceVersionMatch": "Exact"},
            422,
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        (
            {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
            422,
            'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        ),
        (
            {"resourceVersionMatch": "Latest", "resourceVersion": "1"},
            422,
            'resourceVersionMatch: Unsupported value: "Latest": supported values: "Exact", "NotOlderThan", ""',
        ),
        ({"sendInitialEvents": "1"}, 422, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
        (
            {"watch": "1", "resourceVersionMatch": "NotOlderThan"},
            422,
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is "
            "provided",
        ),
        (
            {"watch": "1", "sendInitialEvents": "0"},
            422,
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
    ],
)
def test_refused_options(query: dict[str, str], code: int, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode_options(query)
    assert (caught.value.code, str(caught.value)) == (code, (MATCH if code == 422 else "") + message)


@pytest.mark.parametrize(
    ("text", "value"), [("", True), ("yes", True), ("0", False), ("False", False), ("false", False)]
)
def test_booleans_are_lenient(text: str, value: bool) -> None:
    assert decode_options({"watch": text}).watch is value


def test_revision_texts() -> None:
    assert (parse_revision(""), parse_revision("12")) == (0, 12)
    text = 'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax'
    with pytest.raises(ApiError) as caught:
        parse_revision("abc")
    assert (caught.value.code, str(caught.value), caught.value.reason) == (500, text, "")

    async def test(_: MemoryStorage, c: WatchCache) -> None:
        with pytest.raises(ApiError) as caught:
            await names(c, resourceVersion="abc")
        assert (caught.value.code, str(caught.value)) == (400, f"invalid resource version: {text}")
        with pytest.raises(ApiError) as caught:
            await names(c, resourceVersion="5", **{"continue": token(v="meta.k8s.io/v1", rv=1, start="a")})
        assert str(caught.value) == "specifying resource version is not allowed when using continue"

    run(test)
