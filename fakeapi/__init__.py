"""The API server of fakekube, and on top of it the whole cluster: `from fakeapi import Cluster`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fakeapi.cluster import Cluster
    from fakeapi.twins import AsyncCluster

__all__ = ["AsyncCluster", "Cluster"]


def __getattr__(name: str) -> Any:
    # Lazily: the server imports modules of this package and must not load the components with them.
    if name in __all__:
        from fakeapi.garbage import uncollected

        with uncollected():
            from fakeapi import cluster

        return getattr(cluster, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
