"""The pytest plugin: a cluster for every test that asks for one.

Fixture `cluster`: isolated state. There is one server per distinct set of options and process (xdist: per worker),
started when first asked for and put back to its ready state before it is used again. The marker
`@pytest.mark.cluster(nodes=5, kubernetes="1.33", ...)` gives Cluster's options; the marker nearest to the test wins.
Loading the plugin imports neither the components nor the official client.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from fakeapi.cluster import Cluster
    from fakeapi.twins import AsyncCluster

MARKER = "cluster(nodes=3, kubernetes='1.36', ...): options of the fixture `cluster`; see fakeapi.Cluster"


class Pool:
    """The session's clusters by their options."""

    def __init__(self) -> None:
        self._clusters: dict[str, Cluster] = {}

    def take(self, options: dict[str, Any]) -> Cluster:
        """A cluster in its ready state."""
        from fakeapi.cluster import Cluster

        key = _key(options)
        used = self._clusters.get(key)
        if used is not None:
            try:
                used.reset()
            except Exception:  # a test has stopped or broken it: that is no fault of the next
                used.stop()
                del self._clusters[key]
        if key not in self._clusters:
            self._clusters[key] = Cluster(**options).start()
        return self._clusters[key]

    def close(self) -> None:
        """Stop all."""
        for cluster in self._clusters.values():
            cluster.stop()
        self._clusters.clear()


def _key(options: dict[str, Any]) -> str:
    """The same for options that mean the same. UsageError for options that there are not."""
    from fakeapi.cluster import Cluster

    try:
        bound = signature(Cluster).bind(**options)
    except TypeError as error:
        raise pytest.UsageError(f"@pytest.mark.cluster: {error}") from None
    bound.apply_defaults()
    return repr(bound.arguments)


POOL = pytest.StashKey[Pool]()
USED = pytest.StashKey["list[Cluster]"]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    config.stash[POOL] = Pool()


def pytest_unconfigure(config: pytest.Config) -> None:
    pool = config.stash.get(POOL, None)
    if pool is not None:
        pool.close()


def options_of(node: pytest.Item) -> dict[str, Any]:
    """What the test's markers say. TypeError for positional arguments."""
    options: dict[str, Any] = {}
    for marker in node.iter_markers("cluster"):
        if marker.args:
            raise pytest.UsageError("@pytest.mark.cluster takes keyword arguments only, such as nodes=5")
        options = {**marker.kwargs, **options}
    return options


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A running cluster in its ready state; what the test does to it is gone afterwards."""
    found = request.config.stash[POOL].take(options_of(request.node))
    request.node.stash[USED] = [found]
    return found


@pytest.fixture
def async_cluster(cluster: Cluster) -> AsyncCluster:
    """The same cluster with awaitable twins of its methods: await async_cluster.kubectl("get", "pods")."""
    from fakeapi.twins import AsyncCluster

    return AsyncCluster(cluster)


@pytest.fixture
def make_cluster(request: pytest.FixtureRequest) -> Iterator[Callable[..., Cluster]]:
    """make_cluster(name="east", nodes=1): further clusters of the test's own, with Cluster's options."""
    from fakeapi.cluster import Cluster

    made: list[Cluster] = request.node.stash.setdefault(USED, [])
    own: list[Cluster] = []

    def make(**options: Any) -> Cluster:
        own.append(Cluster(**options).start())
        made.append(own[-1])
        return own[-1]

    yield make
    for each in own:
        each.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test's report shows how its clusters stood."""
    report = yield
    if report.failed:
        for used in item.stash.get(USED, ()):
            report.sections.append((f"cluster {used.name}", _report(used)))
    return report


def _report(cluster: Cluster) -> str:
    """What can be said of it; a test may have stopped it or broken it."""
    try:
        return cluster.report()
    except Exception as error:
        return f"no report: {error}"
