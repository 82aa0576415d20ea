"""Recordings of a real kube-apiserver, a quarter of them replayed: no area falls below its floor.

They lie beside the project, in ../shared/oracle, and are no part of it; without them there is nothing to replay.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.e2e.processes import cluster, run

ROOT = Path(__file__).resolve().parent.parent
SCORE = ROOT.parent / "shared" / "oracle" / "score"
TRACE, CLUSTER = SCORE.with_name("trace.py"), SCORE.parent / "traces" / "cluster.trace.json"
FLOORS: dict[str, dict[str, float]] = tomllib.loads((ROOT / "conformance" / "floors.toml").read_text())
# How the recorded server was started.
FLAGS = (
    *("--disable-admission-plugins", "ServiceAccount", "--authorization-mode", "RBAC"),
    *("--service-cluster-ip-range", "10.0.0.0/16"),
)
RECORDED = pytest.mark.skipif(not SCORE.exists(), reason=f"no recordings at {SCORE.parent}")
TOTAL = re.compile(r"^(\d+)/(\d+) scenarios", re.MULTILINE)
LINE = re.compile(r"^(\w+) +(\d+)/ *(\d+) scenarios", re.MULTILINE)


def shares(printed: str) -> dict[str, float]:
    """The percentage of scenarios that came out the same, by area, from what score prints."""
    return {area: 100 * int(same) / max(int(all_), 1) for area, same, all_ in LINE.findall(printed) if area != "all"}


@RECORDED
def test_no_area_falls_below_its_floor(tmp_path: Path) -> None:
    with cluster(tmp_path, *FLAGS, command="serve") as kubeconfig:
        report = tmp_path / "report"
        result = run(
            *(sys.executable, str(SCORE), "--kubeconfig", str(kubeconfig), "--quarter", "--report", str(report)),
            seconds=480,
        )
    assert result.status == 0, result.stderr
    print(result.stdout)
    found = shares(result.stdout)
    floors = FLOORS["quarter"]
    assert {area: share for area, share in found.items() if share < floors.get(area, 0)} == {}, result.stdout
    assert set(floors) <= set(found)


@RECORDED
def test_a_whole_cluster_converges_as_recorded(tmp_path: Path) -> None:
    """`score` has no quarter of this area, since its scenarios run one after another."""
    quarter = ("--shard", "0/4", "--sleep", "0.1")
    with cluster(tmp_path, "--nodes", "3") as kubeconfig:
        replay = (sys.executable, str(TRACE), "replay", str(CLUSTER), "--kubeconfig", str(kubeconfig), "-v", *quarter)
        result = run(*replay, seconds=480)
    same, all_ = map(int, (TOTAL.search(result.stdout) or pytest.fail(result.stderr)).groups())
    assert 100 * same / all_ >= FLOORS["cluster"]["quarter"], result.stdout


def test_reading_the_score() -> None:
    printed = "patch      103/ 116 scenarios  88.8 %  231/ 257 steps\nall     618/ 858 scenarios  72.0 %   1/2 steps\n"
    assert shares(printed) == {"patch": pytest.approx(88.79, abs=0.01)}
