"""The fuzzer finds nothing on the server as it is, and each bug that a test plants, shrunk to a few steps.

FUZZ_EXAMPLES says how many sequences are tried, FUZZ_REFERENCE names the kubeconfig of a server to compare with in
place of the model.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from conformance import crud, definitions, machine, ownership, patches, things
from conformance.crudmodel import predict
from conformance.fuzz import Divergence, check, fuzz
from conformance.machine import Machine
from conformance.target import Target
from fakeapi import Cluster, deletion, strategicmerge
from fakeapi import registry as registries
from fakeapi.crds.controller import Definitions
from fakeapi.crds.storing import VersionStorage
from fakeapi.managedfields import manager
from fakeapi.registry import Registry
from fakeapi.storage.base import Change, Entry
from fakeapi.storage.memory import MemoryStorage
from fakeapi.watchcache import WatchCache
from fakeapi.watchevents import Event, Watcher

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
MOST_STEPS = 6

Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Cluster(nodes=0, controllers="", scheduler=False) as cluster:
        target = Target(Path(cluster.kubeconfig))
        yield target
        target.close()


@pytest.fixture(scope="module")
def reference() -> Iterator[Target | None]:
    named = os.environ.get("FUZZ_REFERENCE")
    reference = Target(Path(named)) if named else None
    yield reference
    if reference is not None:
        things.finish(reference)
        reference.close()


def ours(key: str) -> bool:
    return things.GROUP in key


def lost_event(patch: Patch) -> None:
    offer = Watcher.offer
    patch.setattr(Watcher, "offer", lambda self, event: None if event.item is None else offer(self, event))


def duplicate_event(patch: Patch) -> None:
    offer = Watcher.offer

    def twice(self: Watcher, event: Event) -> None:
        offer(self, event)
        offer(self, event)

    patch.setattr(Watcher, "offer", twice)


def wrong_order(patch: Patch) -> None:
    offer = Watcher.offer

    def first(self: Watcher, event: Event) -> None:
        offer(self, event)
        if len(self._queue) == 2:
            self._queue.rotate(1)

    patch.setattr(Watcher, "offer", first)


def reused_revision(patch: Patch) -> None:
    update = MemoryStorage.update

    async def same(self: MemoryStorage, key: str, value: bytes, *, expected: int) -> Entry:
        if not ours(key):
            return await update(self, key, value, expected=expected)
        previous = self._expect(key, expected)
        return self._put(Change(key, self._revision, Entry(key, value, self._revision, previous.created), previous))

    patch.setattr(MemoryStorage, "update", same)


def swallowed_conflict(patch: Patch) -> None:
    def blind(self: Registry, new: dict[str, Any], old: dict[str, Any], name: str) -> bool:
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        return False

    patch.setattr(Registry, "_check_version", blind)


def page_from_two_snapshots(patch: Patch) -> None:
    async def latest(self: WatchCache, revision: int, *arguments: Any, **options: Any) -> Any:
        return self.list(*arguments, **options)

    patch.setattr(WatchCache, "list_at", latest)


def selector_exit_that_is_not_deleted(patch: Patch) -> None:
    seen = Event.seen_through

    def through(self: Event, predicate: Any) -> str:
        kind = seen(self, predicate)
        return "MODIFIED" if kind == "DELETED" and self.item is not None else kind

    patch.setattr(Event, "seen_through", through)


def generation_bumped_by_status(patch: Patch) -> None:
    prepare = Registry._prepare_update

    def bump(self: Registry, new: dict[str, Any], old: dict[str, Any], ctx: Any, rules: Any) -> None:
        prepare(self, new, old, ctx, rules)
        if rules is self.status:
            new["metadata"]["generation"] += 1

    patch.setattr(Registry, "_prepare_update", bump)


def skipped_finalizer(patch: Patch) -> None:
    patch.setattr(registries, "deletion_finalizers", lambda *_: [])


def apply_that_drops_a_co_owner(patch: Patch) -> None:
    apply = manager.apply

    def alone(live: Any, applied: Any, managed: Any, write: Any, who: str, force: bool) -> Any:
        mine = {key: owner for key, owner in managed.items() if key == write.id(who, "Apply")}
        return apply(live, applied, mine, write, who, force)

    patch.setattr(manager, "apply", alone)


def forgotten_precondition(patch: Patch) -> None:
    patch.setattr(registries, "check_preconditions", lambda *_: None)


def orphans_that_are_not_kept(patch: Patch) -> None:
    given = deletion.deletion_finalizers

    def without(*arguments: Any) -> list[str]:
        return [finalizer for finalizer in given(*arguments) if finalizer != "orphan"]

    patch.setattr(registries, "deletion_finalizers", without)


def list_merged_without_its_key(patch: Patch) -> None:
    patch.setattr(strategicmerge, "_merge_items", lambda original, items, type: [*original, *items])


def stored_objects_not_pruned(patch: Patch) -> None:
    patch.setattr(VersionStorage, "_as_stored", lambda self, entry: orjson.loads(entry.value))


def objects_that_outlive_their_definition(patch: Patch) -> None:
    async def none(self: Definitions, name: str, definition: Any) -> bool:
        return True

    patch.setattr(Definitions, "_delete_objects", none)


BUGS: dict[Machine, tuple[Callable[[Patch], None], ...]] = {
    crud.MACHINE: (
        lost_event, duplicate_event, wrong_order, reused_revision, swallowed_conflict, page_from_two_snapshots,
        selector_exit_that_is_not_deleted, generation_bumped_by_status, skipped_finalizer,
        apply_that_drops_a_co_owner,
    ),
    ownership.MACHINE: (forgotten_precondition, orphans_that_are_not_kept),
    patches.MACHINE: (list_merged_without_its_key,),
    definitions.MACHINE: (stored_objects_not_pruned, objects_that_outlive_their_definition),
}  # fmt: skip


def test_the_server_does_as_the_reference_does(target: Target, reference: Target | None) -> None:
    result = fuzz(target, reference, examples=EXAMPLES, seed=7)
    assert result.divergence is None, str(result.divergence)
    assert result.examples >= EXAMPLES


@pytest.mark.parametrize(
    ("machine", "plant"),
    [pytest.param(machine, plant, id=plant.__name__) for machine, plants in BUGS.items() for plant in plants],
)
def test_a_planted_bug_is_found(
    machine: Machine, plant: Callable[[Patch], None], target: Target, monkeypatch: Patch
) -> None:
    plant(monkeypatch)
    result = fuzz(target, examples=500, seed=7, machines=[machine])
    assert result.divergence is not None
    assert len(result.divergence.steps) <= MOST_STEPS, result.divergence.report


def test_a_machine_of_the_api_server_alone_is_left_out_where_controllers_run() -> None:
    with Cluster(nodes=0, scheduler=False) as cluster:
        target = Target(Path(cluster.kubeconfig))
        with pytest.raises(machine.SetupError, match="ownership: a kube-controller-manager has a hand in it"):
            fuzz(target, examples=10, machines=[ownership.MACHINE])
        assert fuzz(target, examples=10, seed=1).divergence is None
        target.close()


def test_two_servers_are_compared(target: Target) -> None:
    with Cluster(nodes=0, controllers="", scheduler=False) as cluster:
        other = Target(Path(cluster.kubeconfig))
        assert fuzz(target, other, examples=10, seed=1).divergence is None
        other.close()


def test_a_report_says_what_to_do(target: Target, monkeypatch: Patch) -> None:
    skipped_finalizer(monkeypatch)
    things.prepare(target)
    with pytest.raises(Divergence) as caught:
        check(crud.MACHINE, target, None, [("create", "a", "x", True), ("delete", "a")])
    report = caught.value.report
    assert report.startswith("step 2, delete a:\n  gone should be nothing\n              is true\n")
    assert '$CURL -X DELETE "$SERVER/apis/conformance.fakekube.dev/v1/namespaces/default/things/a-' in report


def test_the_model_knows_co_owners() -> None:
    steps = [
        ("create", "a", "x", False),
        ("apply", "a", "m1", ("k1", "k2"), "1"),
        ("apply", "a", "m2", ("k1",), "1"),
        ("apply", "a", "m1", (), "1"),
        ("apply", "a", "m1", (), "2"),
    ]
    shown = predict(steps)
    assert [o["thing"]["owners"] for o in shown[1:5]] == [
        {"k1": ["m1"], "k2": ["m1"]},
        {"k1": ["m1", "m2"], "k2": ["m1"]},
        {"k1": ["m2"]},
        {"k1": ["m2"]},
    ]
    assert [o["moved"] for o in shown[1:5]] == [True, True, True, False]
