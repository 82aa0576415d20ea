"""Static pods: pods that a kubelet has from a file of its own, and the mirror pods that show them to the API server.

Stands for pkg/kubelet/config (common.go's applyDefaults, file.go), pkg/kubelet/pod (mirror_client.go) and the kubelet's
tryReconcileMirrorPods. A static pod runs whatever becomes of its mirror; a mirror that is deleted is made anew. Leaves
out manifests from URLs.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from fakeapi.clock import rfc3339, rfc3339_micro
from fakenodes.client.base import ClientError
from fakenodes.kubelet.critical import MIRROR, SOURCE
from fakenodes.kubelet.podworker import PODS, Kubelet, PodWorker

log = logging.getLogger(__name__)

Obj = dict[str, Any]

HASH, SEEN = "kubernetes.io/config.hash", "kubernetes.io/config.seen"
RETRY_SECONDS = 10.0  # between looks at a mirror whose name another pod has


class ManifestError(ValueError):
    """This is no manifest of a Pod."""


def static_pod(manifest: Mapping[str, Any], node: str, source: str, now: float) -> Obj:
    """The pod that the kubelet of the node makes of a manifest. ManifestError."""
    meta, spec = manifest.get("metadata"), manifest.get("spec")
    if manifest.get("kind") != "Pod" or manifest.get("apiVersion") != "v1":
        raise ManifestError(f"{source}: {manifest.get('apiVersion')} {manifest.get('kind')} is not a v1 Pod")
    if not isinstance(meta, Mapping) or not meta.get("name") or not isinstance(spec, Mapping):
        raise ManifestError(f"{source}: a Pod needs metadata.name and spec")
    if not spec.get("containers"):
        raise ManifestError(f"{source}: a Pod needs spec.containers")
    what = f"host:{node}file:{source}".encode() + orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)
    uid = meta.get("uid") or hashlib.md5(what, usedforsecurity=False).hexdigest()
    notes = {**(meta.get("annotations") or {}), HASH: uid, SEEN: rfc3339_micro(now), SOURCE: "file"}
    tolerations = [*(spec.get("tolerations") or ()), {"operator": "Exists", "effect": "NoExecute"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **meta,
            "name": f"{meta['name']}-{node.lower()}",
            "namespace": meta.get("namespace") or "default",
            "uid": uid,
            "generation": 1,
            "annotations": notes,
        },
        "spec": {**spec, "nodeName": node, "tolerations": tolerations},
    }


def mirror_pod(pod: Obj, node: Obj) -> Obj:
    """What is created on the API server for a static pod of the Node."""
    meta = {k: v for k, v in pod["metadata"].items() if k not in ("uid", "generation")}
    meta["annotations"] = {**meta["annotations"], MIRROR: meta["annotations"][HASH]}
    owner = {"apiVersion": "v1", "kind": "Node", "name": node["metadata"]["name"], "uid": node["metadata"]["uid"]}
    meta["ownerReferences"] = [{**owner, "controller": True}]
    return {**pod, "metadata": meta}


def is_mirror(pod: Obj) -> bool:
    """Does the pod only show a static one?"""
    return MIRROR in (pod["metadata"].get("annotations") or {})


def _going(pod: Obj) -> bool:
    return pod["metadata"].get("deletionTimestamp") is not None


def key_of(pod: Obj) -> str:
    """`namespace/name`, which a static pod and its mirror share."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


class StaticWorker(PodWorker):
    """A static pod: it runs by its manifest, and its status goes to its mirror.

    successor: the manifest that takes its place once it has ended, set by whoever removes it.
    """

    __slots__ = ("key", "mirror", "source", "successor")

    def __init__(self, kubelet: Kubelet, pod: Obj, source: str) -> None:
        super().__init__(kubelet, pod)
        self.key = key_of(pod)
        self.source = source
        self.mirror: Obj | None = None
        self.successor: Obj | None = None

    @property
    def leaving(self) -> bool:
        """Is its manifest gone?"""
        return self.obj is None or _going(self.obj)

    def remove(self, now: float) -> None:
        """The manifest is gone: the pod is to end within its grace period."""
        if self.obj is None or self.leaving:
            return
        grace = self.obj["spec"].get("terminationGracePeriodSeconds", 30)
        meta = {**self.obj["metadata"], "deletionTimestamp": rfc3339(now), "deletionGracePeriodSeconds": grace}
        self.obj = {**self.obj, "metadata": meta}

    async def sync(self, hurried: bool = False) -> float | None:
        """See PodWorker; the mirror is made or put right first."""
        there = self.leaving or await self._reconcile()
        wake = await super().sync(hurried)
        if there:
            return wake
        return RETRY_SECONDS if wake is None else min(wake, RETRY_SECONDS)

    @property
    def shown(self) -> Obj | None:
        """See PodWorker."""
        return self.mirror

    async def _reconcile(self) -> bool:
        """Whether the mirror shows this pod. Raises ClientError and OSError."""
        pod, node = self.obj, self.kubelet.node
        assert pod is not None
        mirror = self.mirror
        if mirror is not None:
            notes = mirror["metadata"].get("annotations") or {}
            if notes.get(MIRROR) == self.uid and not _going(mirror):
                return True
            await delete_mirror(self.kubelet, mirror)
            self.mirror = None
        if node.obj is None:
            return False
        self.forget()
        try:
            self.mirror = await self.kubelet.client.create(
                PODS, mirror_pod(pod, node.obj), pod["metadata"]["namespace"]
            )
        except ClientError as error:
            log.info("mirror of static pod %s: %s", key_of(pod), error)
            return False
        return True

    async def _delete(self, obj: Obj) -> None:
        if self.mirror is not None:
            await delete_mirror(self.kubelet, self.mirror)
        self.kubelet.node.release(self.uid)
        self.mirror = self.obj = None


class OrphanWorker(PodWorker):
    """A mirror of a static pod that the node does not have: it is deleted."""

    async def sync(self, hurried: bool = False) -> float | None:
        """Delete it."""
        if self.obj is not None:
            await delete_mirror(self.kubelet, self.obj)
        return None


async def delete_mirror(kubelet: Kubelet, mirror: Obj) -> None:
    """Take the mirror off the API server, at once and only if it is still this one."""
    meta = mirror["metadata"]
    try:
        await kubelet.client.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"], grace_period_seconds=0)
    except ClientError as error:
        if error.code not in (404, 409):
            raise


class StaticPods:
    """The static pods of all nodes of a process, by node and source. start: run a worker; look: look at a pod again."""

    def __init__(self, start: Callable[[PodWorker], None], look: Callable[[str], None]) -> None:
        self._start = start
        self._look = look
        self._manifests: dict[str, dict[str, Obj]] = {}
        self._workers: dict[tuple[str, str], StaticWorker] = {}

    def manifests(self, node: str) -> tuple[tuple[str, Obj], ...]:
        """(source, manifest) of the node's static pods."""
        return tuple(self._manifests.get(node, {}).items())

    def put(self, kubelet: Kubelet, source: str, manifest: Obj) -> str:
        """Run a manifest, in place of the one that the source had before; the pod's name. ManifestError."""
        node, now = kubelet.node.name, kubelet.clock.now()
        pod = static_pod(manifest, node, source, now)
        key = key_of(pod)
        for worker in self._of(node, source):
            if worker.key != key:
                self._end(worker, None)
        self._manifests.setdefault(node, {})[source] = manifest
        old = self._workers.get((node, key))
        if old is None:
            self._begin(kubelet, pod, source)
        elif old.uid != pod["metadata"]["uid"] or old.leaving:
            self._end(old, pod)
        name: str = pod["metadata"]["name"]
        return name

    def remove(self, kubelet: Kubelet, source: str) -> None:
        """The source has no manifest any more. KeyError."""
        del self._manifests[kubelet.node.name][source]
        for worker in self._of(kubelet.node.name, source):
            self._end(worker, None)

    def _of(self, node: str, source: str) -> list[StaticWorker]:
        return [w for (name, _), w in self._workers.items() if name == node and w.source == source]

    def _begin(self, kubelet: Kubelet, pod: Obj, source: str) -> None:
        worker = self._workers[kubelet.node.name, key_of(pod)] = StaticWorker(kubelet, pod, source)
        self._start(worker)

    def _end(self, worker: StaticWorker, successor: Obj | None) -> None:
        worker.successor = successor
        worker.remove(worker.kubelet.clock.now())
        self._look(worker.uid)

    def over(self, worker: PodWorker) -> None:
        """The worker's pod has ended and is gone."""
        if not isinstance(worker, StaticWorker):
            return
        del self._workers[worker.kubelet.node.name, worker.key]
        if worker.successor is not None:
            self._begin(worker.kubelet, worker.successor, worker.source)

    def seen(self, kubelet: Kubelet, mirror: Obj) -> None:
        """The API server has this mirror."""
        worker = self._workers.get((kubelet.node.name, key_of(mirror)))
        if worker is None:
            self._start(OrphanWorker(kubelet, mirror))
            return
        known, worker.mirror = worker.mirror, mirror
        if known is None or known["metadata"]["uid"] != mirror["metadata"]["uid"] or _going(mirror):
            self._look(worker.uid)

    def dropped(self, node: str, mirror: Obj) -> None:
        """The API server has it no more."""
        worker = self._workers.get((node, key_of(mirror)))
        if worker is not None and (worker.mirror or mirror)["metadata"]["uid"] == mirror["metadata"]["uid"]:
            worker.mirror = None
            self._look(worker.uid)
