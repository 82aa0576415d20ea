"""Recording one server and replaying on another; what counts as a difference and what does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conformance import recordings
from conformance.target import Target
from fakeapi import Cluster
from fakeapi.cli import main
from tests.conftest import program
from tests.e2e.processes import cluster
from tests.fakeapi.storage_backends import etcd_server

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "traces"


@contextmanager
def on_sqlite(directory: Path) -> Iterator[Path]:
    with Cluster(nodes=0, controllers="", scheduler=False, data=directory) as made:
        yield Path(made.kubeconfig)


@contextmanager
def on_etcd(directory: Path) -> Iterator[Path]:
    program("etcd")
    with etcd_server(directory / "etcd") as url, cluster(directory, "--etcd-servers", url, command="serve") as found:
        yield found


STORES = {"sqlite": on_sqlite, "etcd": on_etcd}
MAPS = "/api/v1/namespaces/{ns}/configmaps"
CASES: list[dict[str, Any]] = [
    {
        "name": "maps/life",
        "steps": [
            {"do": f"POST {MAPS}", "body": {"metadata": {"generateName": "a-"}}, "save": {"made": "/metadata/name"}},
            {"do": f"GET {MAPS}/{{made}}"},
            {
                "do": f"PATCH {MAPS}/{{made}}",
                "headers": {"Content-Type": "application/merge-patch+json"},
                "body": {"data": {"u": "{uniq}"}},
            },
            {"do": f"POST {MAPS}", "body": {"metadata": {"name": "BAD"}}},
            {"do": f"GET {MAPS}?watch=1&resourceVersion=0&timeoutSeconds=1"},
            {"do": f"DELETE {MAPS}/{{made}}"},
            {"do": f"GET {MAPS}/{{made}}", "until": "gone"},
        ],
    },
    {"name": "nobody", "steps": [{"do": "GET /api/v1/nodes", "as": "token:nonsense"}, {"do": "GET /nowhere"}]},
]


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Cluster(nodes=0, controllers="", scheduler=False) as cluster:
        target = Target(Path(cluster.kubeconfig))
        yield target
        target.close()


@pytest.mark.parametrize("store", ["sqlite", "etcd"])
def test_a_recording_of_one_store_replays_on_another(target: Target, store: str, tmp_path: Path) -> None:
    recorded = recordings.record(target, CASES)
    assert [step["want"]["status"] for step in recorded[0]["steps"]] == [201, 200, 200, 422, 200, 200, 404]
    with STORES[store](tmp_path) as kubeconfig:
        other = Target(kubeconfig)
        assert [line for scenario in recorded for line in recordings.replay(other, scenario)] == []
        recorded[0]["steps"][1]["want"]["body"]["kind"] = "Map"
        assert recordings.replay(other, recorded[0]) == [
            "step 2, GET /api/v1/namespaces/{ns}/configmaps/{made}:",
            "  /body/kind",
            '    recorded "Map"',
            '    now      "ConfigMap"',
        ]
        other.close()


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "maps.cases.json").write_text(json.dumps({"scenarios": CASES}))
    assert main(["conformance", "record", str(tmp_path / "maps.cases.json"), "--out", str(tmp_path / "out")]) == 0
    assert main(["conformance", "replay", str(tmp_path / "out" / "maps.trace.json")]) == 0
    assert capsys.readouterr().err.endswith("2 of 2 scenarios are as recorded.\n")


MISTAKES = [
    ("replay", "[]", "is no file of scenarios"),
    ("replay", '{"scenarios": [{"name": "a"}]}', "is no file of scenarios"),
    ("replay", '{"scenarios": [{"name": "a", "steps": [{"do": "GET /"}]}]}', "'a' has no recorded answers"),
    ("record", '{"scenarios": []}', "cannot make "),
]


@pytest.mark.parametrize(("action", "text", "says"), MISTAKES)
def test_mistakes_get_one_line(
    action: str, text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    out = ["--out", str(file / "out")] if action == "record" else []
    assert main(["conformance", action, str(file), *out]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.skipif(not ORACLE.exists(), reason="no recordings beside the project")
def test_recordings_of_a_real_server_are_read(target: Target) -> None:
    scenarios = [s for s in recordings.load(ORACLE / "kinds.trace.json") if "configmap" in s["name"]][:5]
    assert scenarios
    assert {s["name"]: lines for s in scenarios if (lines := recordings.replay(target, s))} == {}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"resourceVersion": "12"}, {"resourceVersion": "<rv>"}),
        ({"resourceVersion": "0"}, {"resourceVersion": "0"}),
        ({"a": "at 2026-01-02T03:04:05Z by 0a1b2c3d-0000-4000-8000-0a1b2c3d4e5f"}, {"a": "at <time> by <uid>"}),
        ({"message": "too old resource version: 5 (7)"}, {"message": "too old resource version: <rv>"}),
        ({"name": "web-x7k2p", "generateName": "web-"}, {"name": "web-<rand>", "generateName": "web-"}),
        (
            {"clusterIP": "10.0.0.7", "nodePort": 30001, "port": 30001},
            {"clusterIP": "<ip>", "nodePort": "<nodePort>", "port": 30001},
        ),
        ({"cells": ["web", "5m3s"]}, {"cells": ["web", "<age>"]}),
        ({"name": "secret-name"}, {"name": "{made}"}),
    ],
)
def test_what_differs_from_run_to_run(value: Any, shown: Any) -> None:
    assert recordings.normal(value, [("secret-name", "{made}")]) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("web-7467d7c587-nxbwx", "web-<hash>-<rand>"),
        ("web-7467d7c587", "web-<hash>"),
        ("job-nxbwx", "job-<rand>"),
        ("node-3 has 10.1.2.3", "<node> has <ip>"),
        ({"items": [{"b": 1}, {"a": 1}]}, {"items": [{"a": 1}, {"b": 1}]}),
        ({"nodeName": "x", "podIP": ""}, {"nodeName": "<node>", "podIP": ""}),
    ],
)
def test_what_clusters_choose(value: Any, shown: Any) -> None:
    assert recordings.clustered(value) == shown


def test_differences() -> None:
    assert list(recordings.differences({"a": [1, 2], "b": 1}, {"a": [1, 3, 4], "c": 1})) == [
        ("/a (length)", 2, 3),
        ("/a/1", 2, 3),
        ("/b", 1, "<absent>"),
        ("/c", "<absent>", 1),
    ]
    assert recordings.without({"a": [{"b": 1}, {"b": 2}]}, ["a", "*", "b"]) == {"a": [{"b": "<ignored>"}] * 2}
