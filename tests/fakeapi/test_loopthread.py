"""A thread with an event loop: what reaches the caller, and that it ends whatever is still open."""

from __future__ import annotations

import asyncio
import socket
import warnings

import pytest

from fakeapi.loopthread import LoopThread


async def _raise() -> None:
    raise LookupError("there is none")


async def _connect(port: int) -> None:
    await asyncio.get_running_loop().create_connection(asyncio.Protocol, "127.0.0.1", port)


def test_results_and_errors_reach_the_caller() -> None:
    thread = LoopThread("t")
    assert thread.run(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(LookupError, match="there is none"):
        thread.run(_raise())
    thread.close()
    thread.close()


def test_it_ends_with_a_connection_open_where_warnings_are_errors() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        thread = LoopThread("t")
        thread.run(_connect(server.getsockname()[1]))
        closer = LoopThread("closer")
        closer.run(asyncio.wait_for(asyncio.to_thread(thread.close), 30))
        closer.close()
