"""The endpoints under /fakekube/, over real HTTP through kubectl, and backups."""

from __future__ import annotations

import base64
import gzip
import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from fakeapi import Cluster, backup
from fakeapi.admin import PAGES
from fakeapi.cli import main
from fakeapi.kubectl import KubectlError
from fakeapi.storage.base import Entry
from kubeconfig import model


def ask(cluster: Cluster, path: str, body: Any = None) -> Any:
    if body is None:
        found = cluster.kubectl("get", "--raw", f"/fakekube/{path}")
    else:
        found = cluster.kubectl("create", "--raw", f"/fakekube/{path}", "-f", "-", input=json.dumps(body))
    return json.loads(found)


OTHERS = {
    "joe": (("--as", "joe"), 'User "joe" is not an administrator'),
    "a stranger": (("--kubeconfig", os.devnull, "--token", "made up"), "You must be logged in"),
}


@pytest.mark.parametrize("who", OTHERS)
@pytest.mark.parametrize("page", [page for page in PAGES if page])
def test_only_the_admin_may(cluster: Cluster, who: str, page: str) -> None:
    flags, says = OTHERS[who]
    where = ("--server", cluster.url, "--insecure-skip-tls-verify") if who != "joe" else ()
    with pytest.raises(KubectlError, match=says):
        cluster.kubectl("get", "--raw", f"/fakekube/{page}", *flags, *where)


def test_nobody_in_particular_may_not(cluster: Cluster) -> None:
    ca = base64.b64decode(model.load(Path(cluster.kubeconfig))["clusters"][0]["cluster"]["certificate-authority-data"])
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{cluster.url}/fakekube/", context=ssl.create_default_context(cadata=ca.decode()))
    assert caught.value.code == 403
    caught.value.close()


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("clock", {"advance": True}, "advance is a number of seconds"),
        ("clock", {"advance": float("inf")}, "advance is a number of seconds"),
        ("clock", {"back": 1}, "the body is"),
        ("requests?status=ok", None, "status is a number"),
        ("nothing", None, "could not find the requested resource"),
        ("reset", None, "does not allow this method"),
        ("faults", {"effect": "error", "code": "x"}, "code 'x' is not a whole number"),
    ],
)
def test_mistakes_are_told(cluster: Cluster, path: str, body: Any, says: str) -> None:
    with pytest.raises(KubectlError, match=says):
        ask(cluster, path, body)


def test_snapshots_and_reset(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "kept")
    assert ask(cluster, "snapshots/one", {})["name"] == "one"
    cluster.kubectl("create", "namespace", "lost")
    ask(cluster, "snapshots/one/restore", {})
    assert "lost" not in cluster.kubectl("get", "namespaces")
    ask(cluster, "reset", {})
    assert "kept" not in cluster.kubectl("get", "namespaces")
    assert ask(cluster, "snapshots") == {"snapshots": ["one"]}
    with pytest.raises(KubectlError, match='"two" not found'):
        ask(cluster, "snapshots/two/restore", {})


def test_faults(cluster: Cluster) -> None:
    added = ask(cluster, "faults", [{"effect": "error", "verb": "list", "resource": "secrets", "code": 503}])
    with pytest.raises(KubectlError, match="ServiceUnavailable"):
        cluster.kubectl("get", "secrets")
    (shown,) = ask(cluster, "faults")["faults"]
    assert (shown["id"], shown["hits"]) == (added["faults"][0]["id"], 1)
    cluster.kubectl("delete", "--raw", f"/fakekube/faults/{shown['id']}")
    cluster.kubectl("get", "secrets")
    with pytest.raises(KubectlError, match="there is no fault 'x'"):
        ask(cluster, "faults", {"effect": "x"})


def test_clock(cluster: Cluster) -> None:
    before = ask(cluster, "clock")["now"]
    after = ask(cluster, "clock", {"freeze": True, "advance": 120})
    assert after["now"] - before > 119
    assert after["flowing"] is False
    with pytest.raises(KubectlError, match="time does not go back"):
        ask(cluster, "clock", {"advance": -1})


def test_requests(cluster: Cluster) -> None:
    cluster.kubectl("get", "secrets")
    (found,) = ask(cluster, "requests?verb=list&resource=secrets&user=kubernetes-admin")["requests"]
    assert found["status"] == 200
    assert " GET /api/v1/namespaces/default/secrets?limit=500 200 " in cluster.kubectl(
        "get", "--raw", "/fakekube/requests?text&resource=secrets"
    )


def test_a_backup_of_one_server_restored_in_another(cluster: Cluster, make_cluster: Any, tmp_path: Path) -> None:
    cluster.kubectl("create", "namespace", "moved")
    file = str(tmp_path / "file")
    assert main(["backup", file, "--kubeconfig", cluster.kubeconfig]) == 0
    other = make_cluster(nodes=0)
    assert main(["restore", file, "--kubeconfig", other.kubeconfig]) == 0
    before = cluster.wait("namespace/moved")[0]["metadata"]
    assert other.wait("namespace/moved")[0]["metadata"] == before


def test_a_backup_is_read_as_it_was_written() -> None:
    entries = (Entry("/registry/a/b", b'{"kind":"A"}', 7, 3),)
    assert backup.load(backup.dump(entries, 9, 36)) == (entries, 9)


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", backup.dump((), 1, 36)[:-9], gzip.compress(b"{}")],
    ids=["nothing", "text", "cut off", "of something else"],  # gzip's bytes hold the time: workers would not agree
)
def test_what_is_no_backup(data: bytes) -> None:
    with pytest.raises(backup.BackupError):
        backup.load(data)


def test_restoring_nonsense_gets_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "f").write_text("nonsense")
    assert main(["restore", str(tmp_path / "f"), "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"fakekube: {tmp_path / 'f'}: this is no backup that fakekube made\n"
    assert main(["backup", str(tmp_path / "g"), "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"fakekube: {tmp_path} holds no cluster\n"
