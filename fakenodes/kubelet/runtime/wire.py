"""HTTP/1.1 on a connection to a hollow container: requests in, what runtime/http.py says to them out."""

from __future__ import annotations

import h11

from fakenodes.kubelet.runtime.http import answered
from fakenodes.kubelet.runtime.script import HttpRequest, Serve
from fakenodes.kubelet.runtime.tls import Read, Write


async def answer(serve: Serve, port: int, read: Read, write: Write) -> None:
    """Answer the requests on one connection until it ends."""
    connection = h11.Connection(h11.SERVER)
    while True:
        try:
            request = await _request(connection, read, port)
        except h11.RemoteProtocolError:
            return
        if request is None:
            return
        status, headers, body = await answered(serve, request)
        found = {"content-length": str(len(body)), **headers}
        if request.method == "HEAD" or status in (204, 304):
            body = b""
        data = connection.send(h11.Response(status_code=status, headers=list(found.items()))) or b""
        data += (connection.send(h11.Data(data=body)) or b"") + (connection.send(h11.EndOfMessage()) or b"")
        await write(data)
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return
        connection.start_next_cycle()


async def _request(connection: h11.Connection, read: Read, port: int) -> HttpRequest | None:
    head: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await read())
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in head.headers}
            return HttpRequest(head.method.decode(), head.target.decode("latin-1"), headers, body, port)
        else:
            return None
