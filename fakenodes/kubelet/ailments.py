"""What is wrong with a node, and what that does to its kubelet's requests.

faults.py says when something goes wrong; HollowNodes acts on it.
"""

from __future__ import annotations

from typing import Any, cast

from msgspec import Struct, field

from fakenodes.client.base import Client


class Ailments(Struct):
    """stopped: there is no kubelet, paused: it stands still; its containers run on, unseen. cut: it works, but reaches
    nobody and is reached by nobody. delay: seconds by which all that it does comes late. pressures: conditions that are
    true.
    """

    stopped: bool = False
    paused: bool = False
    cut: bool = False
    delay: float = 0.0
    pressures: set[str] = field(default_factory=set)

    @property
    def silent(self) -> bool:
        """Does the kubelet do nothing?"""
        return self.stopped or self.paused

    def copy(self) -> Ailments:
        """The same, for another node."""
        return Ailments(self.stopped, self.paused, self.cut, self.delay, set(self.pressures))


class _Line:
    """A client whose every request fails while the node is cut off."""

    def __init__(self, client: Client, ailments: Ailments) -> None:
        self._client = client
        self._ailments = ailments

    def __getattr__(self, name: str) -> Any:
        if self._ailments.cut:
            raise ConnectionError("the node is cut off from the network")
        return getattr(self._client, name)


def line(client: Client, ailments: Ailments) -> Client:
    """The client as the node's kubelet has it."""
    return cast("Client", _Line(client, ailments))
