"""Profiles by schedulerName, and plugins of a user's own: the files that docs/scheduler.md shows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fakeapi import Cluster
from fakenodes.scheduler.plugins import PLUGINS
from fakenodes.scheduler.plugins.image_locality import ImageLocality
from fakenodes.scheduler.profiles import ProfileError, load, profile

Obj = dict[str, Any]
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "scheduler.md").read_text()
FILES = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL))


def file(tmp_path: Path, text: str) -> Path:
    """A Python file."""
    path = tmp_path / "plugins.py"
    path.write_text(text)
    return path


def pod(name: str, scheduler: str = "default-scheduler", **requests: str) -> Obj:
    """A Pod for that scheduler."""
    spec = {
        "schedulerName": scheduler,
        "containers": [{"name": "c", "image": "i", "resources": {"requests": requests or {"cpu": "1"}}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def where(cluster: Cluster, name: str) -> str:
    """The Pod's node, once it has one."""
    (found,) = cluster.wait(f"pod/{name}", lambda o: o["spec"].get("nodeName"))
    return str(found["spec"]["nodeName"])


def test_a_profile_with_a_plugin_of_its_own(tmp_path: Path) -> None:
    profiles = load(file(tmp_path, FILES["quiet_nodes.py"]))
    with Cluster(nodes=3, scheduler_profiles=profiles) as cluster:
        cluster.kubectl("label", "node", "node-0", "noise=low")
        cluster.kubectl("label", "node", "node-1", "node-2", "noise=high")
        cluster.settle()  # the scheduler knows of it
        for n in range(3):
            cluster.apply(pod(f"quiet-{n}", "quiet-scheduler"))
        assert {where(cluster, f"quiet-{n}") for n in range(3)} == {"node-0"}
        for n in range(2):
            cluster.apply(pod(f"any-{n}"))
        assert {where(cluster, f"any-{n}") for n in range(2)} == {"node-1", "node-2"}
        cluster.kubectl("label", "--overwrite", "node", "node-0", "noise=high")
        cluster.settle()
        cluster.apply(pod("late", "quiet-scheduler"))
        (found,) = cluster.wait("pod/late", "PodScheduled=False")
        message = found["status"]["conditions"][0]["message"]
        assert message.startswith("0/3 nodes are available: 3 node(s) were noisy.")
        cluster.kubectl("label", "--overwrite", "node", "node-2", "noise=none")
        assert where(cluster, "late") == "node-2"
        cluster.settle()
        events = json.loads(cluster.kubectl("get", "events", "-o", "json"))["items"]
        told = {(e["involvedObject"]["name"], e["reportingComponent"]) for e in events if e["reason"] == "Scheduled"}
        assert {("any-0", "default-scheduler"), ("quiet-0", "quiet-scheduler")} <= told
        cluster.apply(pod("nobody", "no-such-scheduler"))
        cluster.wait("pod/nobody", lambda o: "nodeName" not in o["spec"])


def test_a_default_plugin_with_other_arguments(tmp_path: Path) -> None:
    profiles = load(file(tmp_path, FILES["packed.py"]))
    assert len(profiles["default-scheduler"]) == len(PLUGINS)
    with Cluster(nodes=3, scheduler_profiles=profiles) as cluster:
        for n in range(4):
            # A fifth of a node each, of both, so that no other plugin's score outweighs the packing.
            cluster.apply(pod(f"p{n}", cpu="6", memory="48Gi"))
            where(cluster, f"p{n}")
        assert len({where(cluster, f"p{n}") for n in range(4)}) == 1


def test_the_default_profile_is_changed_by_name() -> None:
    assert ImageLocality not in dict(profile(remove=["ImageLocality"]))
    assert dict(profile(weights={"ImageLocality": 9}))[ImageLocality] == 9
    with pytest.raises(ProfileError, match="there is no plugin 'ImageLocalty'"):
        profile(remove=["ImageLocalty"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1", "neither PROFILES nor PLUGINS"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("PLUGINS = [", "SyntaxError"),
        ("PROFILES = {}", "there is no profile"),
        ("PROFILES = {'a': [(1, 1)]}", "profile 'a': a plugin is a class"),
        ("class Sort:\n name = 'Sort'\n def sort_key(self): ...\nPLUGINS = [Sort]", "more than one QueueSort plugin"),
    ],
)
def test_what_is_no_file_of_profiles(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ProfileError, match=problem):
        load(file(tmp_path, text))
