"""Who listens to which part of a store: the fan-out that all backends share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fakeapi.storage.base import Change, Entry, Listener


class Listeners:
    """Listeners by prefix; a change finds its own through the folders of its key."""

    def __init__(self) -> None:
        self._by_prefix: dict[str, list[Listener]] = {}

    def add(self, prefix: str, listener: Listener) -> Callable[[], None]:
        """Tell listener of everything under prefix (which ends in "/") until the answer is called."""
        assert prefix.endswith("/"), prefix
        self._by_prefix.setdefault(prefix, []).append(listener)

        def remove() -> None:
            listeners = self._by_prefix.get(prefix, [])
            if listener in listeners:
                listeners.remove(listener)
            if not listeners:
                self._by_prefix.pop(prefix, None)

        return remove

    def prefixes(self) -> list[str]:
        """Every prefix that is listened to."""
        return list(self._by_prefix)

    def changed(self, change: Change) -> None:
        """Tell of one write."""
        key = change.key
        at = key.find("/")
        while at >= 0:
            listeners = self._by_prefix.get(key[: at + 1])
            if listeners:
                for listener in tuple(listeners):
                    listener.changed(change)
            at = key.find("/", at + 1)

    def replaced(self, prefix: str, entries: Sequence[Entry], revision: int) -> None:
        """Tell the listeners of a prefix that its contents were swapped."""
        for listener in tuple(self._by_prefix.get(prefix, ())):
            listener.replaced(entries, revision)

    def clear(self) -> None:
        """Forget everybody."""
        self._by_prefix.clear()
