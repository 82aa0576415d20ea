"""What 200 CRDs cost: the time to install them, and the requests of others before and afterwards.

python benchmarks/crds.py [COUNT]    exit status 1 when installing takes longer than 5 s, or others are a fifth slower
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.apply import ADMIN, FACTS
from fakeapi.app import ApiServer
from fakeapi.config import Config
from fakeapi.storage.memory import MemoryStorage
from tests.e2e.crdsets import many

SECONDS, SLOWER = 5.0, 1.2
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


async def request(
    server: ApiServer, method: str, path: str, body: object = None, media: str = "application/json"
) -> float:
    """Milliseconds that it took."""
    data = orjson.dumps(body) if body is not None else b""
    start = time.perf_counter()
    answer = await server.call(method, path, {"content-type": media}, data, ADMIN)
    assert answer.status < 300, answer
    return (time.perf_counter() - start) * 1000


async def others(server: ApiServer, rounds: int = 500) -> dict[str, float]:
    """Median milliseconds of requests that have nothing to do with CRDs."""
    name = f"{CONFIG_MAPS}/a"
    asked = {
        "get": lambda n: request(server, "GET", name),
        "list": lambda n: request(server, "GET", CONFIG_MAPS),
        "patch": lambda n: request(server, "PATCH", name, {"data": {"n": str(n)}}, "application/merge-patch+json"),
    }
    return {what: statistics.median([await ask(n) for n in range(rounds)]) for what, ask in asked.items()}


async def measure(count: int) -> bool:
    """Print the figures; whether they are within the limits."""
    server = ApiServer(
        Config(authorization=("RBAC",), disable_admission=frozenset(("ServiceAccount",))), MemoryStorage()
    )
    await server.start(FACTS)
    await request(server, "POST", CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {}})
    await others(server, 100)
    before = await others(server)
    crds = many(count)
    start = time.perf_counter()
    for crd in crds:
        path = f"{CRDS}/{crd['metadata']['name']}?fieldManager=kubectl"
        await request(server, "PATCH", path, crd, "application/apply-patch+yaml")
    spec = crds[-1]["spec"]
    collection = f"/apis/{spec['group']}/v1/{spec['names']['plural']}"
    while (await server.call("GET", collection, {}, b"", ADMIN)).status != 200:
        await asyncio.sleep(0.005)
    took = time.perf_counter() - start
    after = await others(server)
    print(f"{count} CRDs of {len(orjson.dumps(crds)) // count} bytes served after {took:5.2f} s   target {SECONDS} s")
    for what, value in before.items():
        print(f"{what:6} before {value:6.3f} ms   after {after[what]:6.3f} ms")
    await server.stop()
    return took < SECONDS and all(after[what] < SLOWER * value for what, value in before.items())


def main(arguments: list[str]) -> int:
    """Measure with so many CRDs."""
    return 0 if asyncio.run(measure(int(arguments[0]) if arguments else 200)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
