"""Quotas under concurrent requests, pods that end, changed limits and crashes: never exceeded, and counted right."""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from fakenodes.client.base import GVR, MERGE_PATCH, ClientError, Obj
from fakenodes.client.gvrs import CLAIMS, CONFIG_MAPS, PODS, RESOURCE_QUOTAS, SECRETS, SERVICES
from tests.fakenodes.world import shared_world

HARD = {
    "pods": 3,
    "requests.cpu": 4,
    "services": 3,
    "services.nodeports": 2,
    "persistentvolumeclaims": 2,
    "requests.storage": 5,
    "count/configmaps": 2,
    "secrets": 2,
}
KINDS = (PODS, SERVICES, CLAIMS, CONFIG_MAPS, SECRETS)
ENDED = ("Succeeded", "Failed")


def body(gvr: GVR, size: int) -> Obj:
    """An object that uses `size` of what its kind is measured by."""
    if gvr == PODS:
        resources = {"requests": {"cpu": str(size)}}
        return {"spec": {"containers": [{"name": "c", "image": "nginx", "resources": resources}]}}
    if gvr == SERVICES:
        return {"spec": {"ports": [{"port": 80}], "type": "NodePort" if size > 1 else "ClusterIP"}}
    if gvr == CLAIMS:
        wanted = {"requests": {"storage": f"{size}Gi"}}
        return {"spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": wanted}}
    return {}


def used_by(gvr: GVR, obj: Obj) -> dict[str, int]:
    """What an object counts for, worked out anew from what it says."""
    if gvr == PODS:
        if (obj.get("status") or {}).get("phase") in ENDED:
            return {}
        return {"pods": 1, "requests.cpu": int(obj["spec"]["containers"][0]["resources"]["requests"]["cpu"])}
    if gvr == SERVICES:
        return {"services": 1, "services.nodeports": int(obj["spec"]["type"] == "NodePort")}
    if gvr == CLAIMS:
        size = obj["spec"]["resources"]["requests"]["storage"].removesuffix("Gi")
        return {"persistentvolumeclaims": 1, "requests.storage": int(size)}
    return {"count/configmaps": 1} if gvr == CONFIG_MAPS else {"secrets": 1}


def written(hard: dict[str, int]) -> dict[str, str]:
    return {k: f"{v}Gi" if k == "requests.storage" else str(v) for k, v in hard.items()}


MAKE = st.tuples(st.just("make"), st.sampled_from(KINDS), st.integers(1, 3))
CHANGE = st.tuples(st.sampled_from(["delete", "end", "turn"]), st.sampled_from(KINDS), st.integers(0, 3))


class QuotaMachine(RuleBasedStateMachine):
    """A namespace with a quota, and requests for more than it allows, several at a time."""

    @initialize()
    def begin(self) -> None:
        looped = shared_world("resourcequota,garbagecollector")
        self.world, self.run = looped.world, looped.run
        self.run(self.world.reset())
        self.serial = 0
        self.hard = dict(HARD)
        quota = {"metadata": {"name": "q"}, "spec": {"hard": written(self.hard)}}
        self.run(self.world.client.create(RESOURCE_QUOTAS, quota, "default"))
        self.run(self.world.advance(1))
        self.up = True
        self.before = self.count()  # the Service "kubernetes" is there from the start

    async def objects(self) -> list[tuple[GVR, Obj]]:
        pages = [(gvr, await self.world.client.list(gvr, "default")) for gvr in KINDS]
        return [(gvr, obj) for gvr, page in pages for obj in page.items]

    async def ask(self, what: str, gvr: GVR, size: int, there: list[Obj]) -> None:
        """One request; what is refused is refused."""
        client = self.world.client
        try:
            if what == "make":
                self.serial += 1
                await client.create(gvr, {"metadata": {"name": f"x-{self.serial}"}, **body(gvr, size)}, "default")
                return
            if not there:
                return
            name = there[size % len(there)]["metadata"]["name"]
            if what == "delete":
                await client.delete(gvr, name, "default", grace_period_seconds=0)
            elif what == "end" and gvr == PODS:
                status = {"status": {"phase": ENDED[size % 2]}}
                await client.patch(gvr, name, status, "default", content_type=MERGE_PATCH, subresource="status")
            elif what == "turn" and gvr == SERVICES:
                spec = {"spec": {"type": ("ClusterIP", "NodePort")[size % 2]}}
                await client.patch(gvr, name, spec, "default", content_type=MERGE_PATCH)
        except ClientError as error:
            if error.code not in (403, 404, 409):
                raise

    @rule(requests=st.lists(MAKE | MAKE | CHANGE, min_size=1, max_size=6))
    def requests(self, requests: list[tuple[str, GVR, int]]) -> None:
        """Several clients at once, while the controller may be about to count."""

        async def all_at_once() -> None:
            there: dict[GVR, list[Obj]] = {gvr: [] for gvr in KINDS}
            for gvr, obj in await self.objects():
                there[gvr].append(obj)
            await asyncio.gather(*(self.ask(what, gvr, size, there[gvr]) for what, gvr, size in requests))

        self.run(all_at_once())
        self.check()

    @rule(name=st.sampled_from(sorted(HARD)), limit=st.integers(0, 5))
    def limit(self, name: str, limit: int) -> None:
        self.hard[name] = limit
        patch = {"spec": {"hard": written({name: limit})}}
        self.run(self.world.client.patch(RESOURCE_QUOTAS, "q", patch, "default", content_type=MERGE_PATCH))
        if self.up:
            # Admission goes by the status, in which the controller puts the new limit.
            self.run(self.world.settle())
        else:
            self.hard[name] = max(limit, self.reported()["hard"][name])

    @precondition(lambda self: self.up)
    @rule()
    def crash(self) -> None:
        self.run(self.world.down())
        self.up = False

    @precondition(lambda self: not self.up)
    @rule()
    def start(self) -> None:
        self.run(self.world.up())
        self.run(self.world.advance(1))
        self.hard = self.reported()["hard"]
        self.up = True

    def reported(self) -> dict[str, dict[str, int]]:
        quota = self.run(self.world.client.get(RESOURCE_QUOTAS, "q", "default"))
        return {
            part: {k: int(str(v).removesuffix("Gi")) for k, v in (quota["status"].get(part) or {}).items()}
            for part in ("hard", "used")
        }

    def count(self) -> Counter[str]:
        """What there is, in the quota's terms."""
        now: Counter[str] = Counter()
        for gvr, obj in self.run(self.objects()):
            now.update(used_by(gvr, obj))
        return now

    def check(self) -> Counter[str]:
        """Nothing that is above its limit has become more."""
        now = self.count()
        for name, limit in self.hard.items():
            assert now[name] <= max(limit, self.before[name]), f"{name}: {now[name]} of {limit}"
        self.before = now
        return now

    @precondition(lambda self: self.up)
    @rule()
    def look(self) -> None:
        """What is reported is what there is."""
        self.run(self.world.advance(1))
        now = self.check()
        assert self.reported()["used"] == {name: now[name] for name in HARD}

    def teardown(self) -> None:
        if hasattr(self, "world"):
            if not self.up:
                self.start()
            self.run(self.world.advance(310))
            self.look()


TestQuota = QuotaMachine.TestCase
TestQuota.settings = settings(max_examples=6, stateful_step_count=25, deadline=None)
