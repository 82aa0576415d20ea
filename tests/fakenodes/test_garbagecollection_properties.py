"""The garbage collector under random owners, deletions, crashes and pauses: no orphan is left, and nothing goes that
has an owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from fakenodes.client.base import GVR, JSON_PATCH, ClientError, Obj
from fakenodes.client.gvrs import CLUSTER_ROLES, CONFIG_MAPS, NAMESPACES, SECRETS
from tests.fakenodes.world import shared_world

KINDS = {
    CONFIG_MAPS: ("v1", "ConfigMap"),
    SECRETS: ("v1", "Secret"),
    CLUSTER_ROLES: ("rbac.authorization.k8s.io/v1", "ClusterRole"),
}
SPACES = ("default", "other")
HOLD = "example.com/hold"
PREFIX = "gc-"


@dataclass(slots=True)
class Item:
    """An object as the server last told of it."""

    gvr: GVR
    obj: Obj

    @property
    def uid(self) -> str:
        return str(self.obj["metadata"]["uid"])

    @property
    def space(self) -> str:
        return str(self.obj["metadata"].get("namespace", ""))

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    @property
    def going(self) -> bool:
        return "deletionTimestamp" in self.obj["metadata"]

    @property
    def waits(self) -> bool:
        return self.going and "foregroundDeletion" in self.obj["metadata"].get("finalizers", ())

    @property
    def owners(self) -> list[str]:
        return [r["uid"] for r in self.obj["metadata"].get("ownerReferences") or ()]


def solid(items: dict[str, Item], item: Item) -> list[Item]:
    """The owners that keep an item: those there, of its namespace or of none, that do not wait for it to go."""
    found = (items.get(uid) for uid in item.owners)
    return [x for x in found if x is not None and x.space in ("", item.space) and not x.waits]


class GarbageMachine(RuleBasedStateMachine):
    """Objects in two namespaces and in none that own one another."""

    @initialize()
    def begin(self) -> None:
        looped = shared_world("garbagecollector")
        self.world, self.run = looped.world, looped.run
        self.run(self.world.reset())
        self.run(self.world.client.create(NAMESPACES, {"metadata": {"name": "other"}}))
        self.run(self.world.advance(1))
        self.serial = 0
        self.up = True
        self.known: dict[str, Item] = {}  # as of the last settled moment, and what was made since
        self.settled: set[str] = set()
        self.deleted: dict[str, str] = {}  # uid -> policy, since then

    def there(self) -> dict[str, Item]:
        def items() -> Iterator[Item]:
            for gvr in KINDS:
                for obj in self.run(self.world.client.list(gvr)).items:
                    if obj["metadata"]["name"].startswith(PREFIX):
                        yield Item(gvr, obj)

        return {x.uid: x for x in items()}

    @rule(
        data=st.data(),
        gvr=st.sampled_from(list(KINDS)),
        space=st.sampled_from(SPACES),
        owners=st.sampled_from([0, 1, 1, 1, 2]),
        block=st.booleans(),
        held=st.integers(0, 5),
    )
    def make(self, data: st.DataObject, gvr: GVR, space: str, owners: int, block: bool, held: int) -> None:
        """A new object with owners that may be anywhere, going or gone."""
        candidates = list(self.known.values())
        if not gvr.namespaced:
            # An owner in a namespace is an error there that nothing resolves.
            candidates = [x for x in candidates if not x.space]
        chosen: dict[str, Item] = {}
        for _ in range(min(owners, len(candidates))):
            item = data.draw(st.sampled_from(candidates))
            chosen[item.uid] = item
        self.serial += 1
        meta: Obj = {"name": f"{PREFIX}{self.serial}", "finalizers": [HOLD] if held == 0 else []}
        meta["ownerReferences"] = [
            {
                "apiVersion": KINDS[x.gvr][0],
                "kind": KINDS[x.gvr][1],
                "name": x.name,
                "uid": x.uid,
                "blockOwnerDeletion": block,
            }
            for x in chosen.values()
        ]
        made = self.run(self.world.client.create(gvr, {"metadata": meta}, space if gvr.namespaced else ""))
        self.known[made["metadata"]["uid"]] = Item(gvr, made)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), policy=st.sampled_from(["Background", "Foreground", "Orphan"]), parent=st.integers(0, 3))
    def delete(self, data: st.DataObject, policy: str, parent: int) -> None:
        """Delete one of them, mostly one that owns others."""
        owned = {uid for item in self.known.values() for uid in item.owners}
        candidates = [u for u in self.known if u in owned] if parent else []
        item = self.known[data.draw(st.sampled_from(candidates or list(self.known)))]
        try:
            self.run(self.world.client.delete(item.gvr, item.name, item.space, propagation_policy=policy))
        except ClientError as error:
            if error.code not in (404, 409):
                raise
            return
        self.deleted.setdefault(item.uid, policy)

    @rule()
    def let_go(self) -> None:
        """What was held is held no longer."""
        for item in self.there().values():
            finalizers = item.obj["metadata"].get("finalizers") or []
            if HOLD in finalizers:
                path = f"/metadata/finalizers/{finalizers.index(HOLD)}"
                patch = [{"op": "test", "path": path, "value": HOLD}, {"op": "remove", "path": path}]
                self.run(self.world.client.patch(item.gvr, item.name, patch, item.space, content_type=JSON_PATCH))

    @precondition(lambda self: self.up)
    @rule()
    def crash(self) -> None:
        self.run(self.world.down())
        self.up = False

    @precondition(lambda self: not self.up)
    @rule()
    def start(self) -> None:
        self.run(self.world.up())
        self.up = True

    @precondition(lambda self: self.up)
    @rule()
    def look_soon(self) -> None:
        self.look(0.05)

    @precondition(lambda self: self.up)
    @rule(seconds=st.sampled_from([1.0, 30.0]))
    def look(self, seconds: float) -> None:
        """Let everything happen, then hold what is there against what was."""
        self.run(self.world.advance(seconds))
        now = self.there()
        for uid, item in now.items():
            if item.owners and not item.going:
                assert solid(now, item), f"{item.name} has no owner left"
            if item.going and uid not in self.deleted and not self.known[uid].going:
                self.nobody_owns(now, self.known[uid])
        for uid, item in self.known.items():
            if uid not in now and uid not in self.deleted and not item.going:
                self.nobody_owns(now, item)
        self.known, self.settled, self.deleted = now, set(now), {}

    def nobody_owns(self, now: dict[str, Item], item: Item) -> None:
        """The collector was right to delete it."""
        assert item.owners, f"{item.name} never had an owner"
        # An owner that was deleted in the foreground may have stopped waiting by now, with all else as it should be.
        kept = [x for x in solid(now, item) if self.deleted.get(x.uid) != "Foreground" and not self.known[x.uid].waits]
        assert not kept, f"{item.name} still has an owner"
        orphaned = [u for u in item.owners if self.deleted.get(u) == "Orphan" and not self.known[u].going]
        if item.uid in self.settled and orphaned == item.owners:
            # It was known to the collector when its only owner was told to let go of it.
            owner = self.known[orphaned[0]]
            assert owner.space not in ("", item.space), f"{item.name} was to be orphaned"

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        if not self.up:
            self.start()
        self.let_go()
        self.look(30)
        assert not [x.name for x in self.known.values() if x.going], "still going"


TestGarbage = GarbageMachine.TestCase
TestGarbage.settings = settings(max_examples=6, stateful_step_count=25, deadline=None)
