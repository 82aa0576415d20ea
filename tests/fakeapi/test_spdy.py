"""SPDY frames: both sides understand each other in any pieces; the dictionary is the specification's."""

from __future__ import annotations

import struct
import zlib

import pytest

from fakeapi.streaming import spdy
from fakeapi.streaming.spdy import Data, Gone, Opened, Ping, Replied, Reset, Spdy


def test_the_dictionary_is_spdy_3s() -> None:
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2


def test_a_conversation_in_single_bytes() -> None:
    client, server = Spdy(client=True), Spdy()
    stream, opening = client.open({"streamType": "data", "port": "80"})
    second, again = client.open({"streamType": "error", "port": "80"})
    sent = opening + again + client.data(stream, b"hello") + client.data(stream, b"", fin=True) + client.reset(second)
    heard = [event for byte in sent for event in server.receive(bytes([byte]))]
    assert heard == [
        Opened(1, {"streamtype": "data", "port": "80"}, False),
        Opened(3, {"streamtype": "error", "port": "80"}, False),
        Data(1, b"hello", False),
        Data(1, b"", True),
        Reset(3, spdy.CANCEL),
    ]
    answer = server.reply(1) + server.reply(3, {"a": "b"}) + server.data(1, b"x" * 70000, fin=True) + server.goaway()
    assert client.receive(answer) == [
        Replied(1, {}, False),
        Replied(3, {"a": "b"}, False),
        Data(1, b"x" * spdy.MAX_DATA, False),
        Data(1, b"x" * (70000 - spdy.MAX_DATA), True),
        Gone(),
    ]


def test_pings_of_the_other_side_are_answered_and_ours_are_not() -> None:
    server = Spdy()
    ping = struct.pack(">HHII", 0x8003, spdy.PING, 4, 7)
    assert server.receive(ping) == [Ping(ping)]
    assert server.receive(struct.pack(">HHII", 0x8003, spdy.PING, 4, 2)) == []


def test_settings_and_windows_are_taken_as_read() -> None:
    frames = struct.pack(">HHII", 0x8003, spdy.SETTINGS, 4, 0) + struct.pack(">HHIII", 0x8003, 9, 8, 1, 1000)
    assert Spdy().receive(frames) == []


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack(">HHI", 0x8002, 1, 0),
        struct.pack(">HHI", 0x8003, spdy.RST_STREAM, 0),
        struct.pack(">HHI", 0x8003, spdy.SYN_STREAM, 14) + b"\0\0\0\1" + bytes(6) + b"junk",
    ],
)
def test_what_is_no_spdy_is_refused(frame: bytes) -> None:
    with pytest.raises(spdy.SpdyError):
        Spdy().receive(frame)
