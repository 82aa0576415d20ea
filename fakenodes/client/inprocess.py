"""The Client into a server of this process: no socket, the same handlers.

The handler is given already bound to a user; it enters the server after authentication, so authorization, admission,
managedFields and everything after them hold for components as for anyone.
"""

from __future__ import annotations

from fakenodes.client.rest import Answer, Handler, RestClient

__all__ = ["Answer", "Handler", "InProcessClient"]


class InProcessClient(RestClient):
    """A Client over `handler(method, target, headers, body) -> Answer`."""
