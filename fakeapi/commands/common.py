"""What several subcommands share: option types, running until a signal, one-line errors."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fakeapi.loopthread import run_to_end

T = TypeVar("T")

MINORS = range(25, 38)


class UserError(Exception):
    """Something the person at the keyboard can mend; the message is one line."""


def kubernetes_version(text: str) -> int:
    """argparse type of --kubernetes-version: `1.36` (or `v1.36.2`) -> 36."""
    major, _, rest = text.removeprefix("v").partition(".")
    minor = rest.split(".")[0]
    if major != "1" or not minor.isdigit() or int(minor) not in MINORS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a version between 1.{MINORS[0]} and 1.{MINORS[-1]}")
    return int(minor)


def port(text: str) -> int:
    """argparse type of a port; 0 is any free one."""
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port between 0 and 65535")
    return int(text)


def count(text: str) -> int:
    """argparse type of a number that is not negative."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 0")
    return int(text)


def cidr(text: str) -> str:
    """argparse type of a range of addresses, `198.51.100.0/24`; "", the default, is none."""
    try:
        return str(ipaddress.ip_network(text)) if text else ""
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range of addresses like 198.51.100.0/24") from None


_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|ms|s|m|h)"


def duration(text: str) -> float:
    """argparse type of Go's durations, in seconds: `1m30s`, `500ms`."""
    if not re.fullmatch(f"({_PART})+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration like 15s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))


def boolean(text: str) -> bool:
    """argparse type of Go's boolean flags: --anonymous-auth=false."""
    lowered = text.lower()
    if lowered in ("true", "1", "t"):
        return True
    if lowered in ("false", "0", "f"):
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def say(text: str) -> None:
    """A line for the person, on stderr: stdout belongs to a command that is run."""
    print(text, file=sys.stderr, flush=True)


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
    """Run main(stop) on a new event loop; stop is set by SIGINT and SIGTERM.

    UserErrors become one line and status 1.
    """
    # asyncio tells of every client that hangs up on TLS; that is no news.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    try:
        return run_to_end(_until_signal(main))
    except UserError as error:
        say(f"fakekube: {error}")
        return 1


def run_plain(main: Callable[[], int]) -> int:
    """Run main(), for commands without an event loop. UserErrors become one line and status 1."""
    try:
        return main()
    except UserError as error:
        say(f"fakekube: {error}")
        return 1


async def _until_signal(main: Callable[[asyncio.Event], Awaitable[int]]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    return await main(stop)


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work returns, or None when told to stop before its end."""
    task = asyncio.ensure_future(work)
    waiter = asyncio.ensure_future(stop.wait())
    await asyncio.wait((task, waiter), return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None
