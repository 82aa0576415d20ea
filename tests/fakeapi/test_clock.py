"""The virtual clock, and what a cluster does when time jumps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from fakeapi import Cluster
from fakeapi.app import ApiServer
from fakeapi.clock import VirtualClock
from fakeapi.config import Config
from fakeapi.control import RESTING_SECONDS, Control
from fakeapi.storage.memory import MemoryStorage
from fakenodes.kubelet.runtime.script import Script


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def test_timers_run_in_order_and_before_what_follows_them() -> None:
    async def main() -> list[str]:
        clock, told = VirtualClock(), list[str]()
        clock.freeze()
        begun = clock.monotonic()

        def tell(word: str) -> Callable[[], object]:
            return lambda: told.append(f"{word} {clock.monotonic() - begun:g}")

        async def worker() -> None:
            for _ in range(3):
                await clock.sleep(10)
                tell("woken")()

        clock.call_later(25, tell("b"))
        clock.call_later(5, tell("a"))
        clock.call_later(12, tell("never")).cancel()
        task = asyncio.create_task(worker())
        await clock.advance(26, settled)
        told.append(f"at {clock.monotonic() - begun:g}")
        await clock.advance(100, settled)
        await task
        return told

    assert asyncio.run(main()) == ["a 5", "woken 10", "woken 20", "b 25", "at 26", "woken 30"]


class Busy(Control):
    """Work of so many turns that writes nothing, in the middle of which the machine puts the process aside."""

    left = 60

    @property
    def drained(self) -> bool:
        return not self.left

    async def work(self) -> None:
        while self.left:
            self.left -= 1
            if self.left == 30:
                self.stand_still()
            await asyncio.sleep(0)

    def stand_still(self) -> None:
        time.sleep(RESTING_SECONDS + 0.1)


def test_work_that_was_put_aside_does_not_rest() -> None:
    async def main() -> int:
        control = Busy(ApiServer(Config(), MemoryStorage()), VirtualClock())
        task = asyncio.create_task(control.work())
        await control.settle()
        left = control.left
        await task
        return left

    assert asyncio.run(main()) == 0


def test_a_clock_that_flows_runs_timers_by_itself() -> None:
    async def main() -> None:
        clock = VirtualClock()
        before = clock.now()
        fired = asyncio.Event()
        clock.call_later(60, fired.set)
        sooner = asyncio.create_task(clock.sleep(0.02))
        await sooner
        assert not fired.is_set()
        await clock.advance(59.9, settled)
        assert clock.now() - before >= 59.9
        await asyncio.wait_for(fired.wait(), 30)
        assert 50 < clock.now() - time.time() < 59.91  # it stands while advance() is at work

    asyncio.run(main())


def test_now_can_be_put_back_and_monotonic_cannot() -> None:
    clock = VirtualClock()
    clock.freeze()
    before = clock.monotonic()
    clock.set_now(1_000.0)
    assert clock.now() == pytest.approx(1_000.0)
    assert clock.monotonic() == before


def cron_job() -> dict[str, Any]:
    container = {"name": "c", "image": "busybox", "command": ["true"]}
    pod = {"restartPolicy": "Never", "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "hourly"},
        "spec": {
            "schedule": "0 * * * *",
            "successfulJobsHistoryLimit": 10,
            "jobTemplate": {"spec": {"template": {"spec": pod}}},
        },
    }


def test_cron_jobs_fire_and_their_jobs_run(cluster: Cluster) -> None:
    cluster.clock.freeze()
    cluster.clock.advance(-(cluster.clock.now() + 1800) % 3600)  # half past: no hour begins beside the test
    cluster.apply(cron_job())
    cluster.settle()
    cluster.clock.advance(hours=3)
    jobs = cluster.wait("jobs", timeout=1)
    assert len(jobs) == 3
    assert [p["status"]["phase"] for p in cluster.wait("pods", timeout=1)] == ["Succeeded"] * 3


def test_events_go_after_an_hour(cluster: Cluster) -> None:
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
    )
    cluster.wait("pod/a")
    cluster.settle()
    started = cluster.kubectl("get", "events", "-o", "name", "--field-selector", "reason=Started")
    assert started
    cluster.clock.advance(minutes=59)
    assert cluster.kubectl("get", "events", "-o", "name", "--field-selector", "reason=Started") == started
    cluster.clock.advance(minutes=2)
    assert cluster.kubectl("get", "events", "-o", "name", "--field-selector", "reason=Started") == ""


def test_back_off_passes(cluster: Cluster) -> None:
    cluster.runtime.image("crashing", Script(run_seconds=1, exit_code=3))
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "c", "image": "crashing"}]},
        }
    )
    cluster.wait("pod/a", "status.phase=Running")
    cluster.clock.advance(minutes=2)
    (pod,) = cluster.wait("pod/a", "exists")
    assert pod["status"]["containerStatuses"][0]["restartCount"] >= 3


def test_tokens_expire(cluster: Cluster) -> None:
    token = cluster.kubectl("create", "token", "default", "--duration", "10m").strip()
    who = (
        "auth",
        "whoami",
        "--token",
        token,
        "--kubeconfig",
        "/dev/null",
        "--server",
        cluster.url,
        "--insecure-skip-tls-verify",
    )
    assert "system:serviceaccount:default:default" in cluster.kubectl(*who)
    cluster.clock.advance(minutes=11)
    assert "Unauthorized" in cluster.kubectl(*who, check=False).stderr


def test_a_silent_node_is_noticed_and_its_pods_go_elsewhere(cluster: Cluster) -> None:
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
            },
        }
    )
    cluster.wait("deployment/web")
    (pod,) = cluster.wait("pods")
    lost = pod["spec"]["nodeName"]
    cluster.nodes.stop(lost)
    cluster.clock.advance(minutes=2)
    assert cluster.wait(f"node/{lost}", "Ready=Unknown", timeout=1)
    cluster.clock.advance(minutes=6)
    running = [p for p in cluster.wait("pods", "exists") if not p["metadata"].get("deletionTimestamp")]
    assert [p["spec"]["nodeName"] != lost for p in running] == [True]
    cluster.nodes.start(lost)
    cluster.clock.advance(minutes=1)
    cluster.wait(f"node/{lost}", timeout=1)


def test_a_frozen_cluster_moves_only_when_told(cluster: Cluster) -> None:
    cluster.clock.freeze()
    before = cluster.clock.now()
    cluster.runtime.image("slow", Script(start_seconds=30))
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "a"},
            "spec": {"containers": [{"name": "c", "image": "slow"}]},
        }
    )
    cluster.settle()
    assert cluster.clock.now() == before
    cluster.clock.advance(29)
    assert cluster.wait("pod/a", "exists")[0]["status"]["phase"] == "Pending"
    cluster.clock.advance(2)
    assert cluster.wait("pod/a", timeout=1)[0]["status"]["phase"] == "Running"


def test_a_reset_puts_time_back(cluster: Cluster) -> None:
    cluster.clock.freeze()
    cluster.clock.advance(hours=5)
    cluster.reset()
    assert abs(cluster.clock.now() - time.time()) < 3600
    assert not cluster.clock.frozen
