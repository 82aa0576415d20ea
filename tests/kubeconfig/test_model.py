"""Kubeconfig files: made, merged, read, written."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeconfig import model

MADE = model.make(
    server="https://127.0.0.1:6443", ca=b"ca", certificate=b"cert", key=b"key", name="one", namespace="apps"
)


def test_what_is_made_says_how_to_get_in() -> None:
    expected = model.Access("https://127.0.0.1:6443", b"ca", b"cert", b"key", namespace="apps")
    assert model.access(MADE) == expected


def test_merging_replaces_equal_names_and_keeps_the_rest() -> None:
    other = model.make(server="https://other", ca=b"", certificate=b"", key=b"", name="two")
    changed = model.make(server="https://changed", ca=b"", certificate=b"", key=b"", name="one")
    merged = model.merge(model.merge({}, MADE), other)
    assert merged["current-context"] == "two"
    assert model.access(merged, context="one").server == "https://127.0.0.1:6443"
    again = model.merge(merged, changed)
    assert [cluster["name"] for cluster in again["clusters"]] == ["two", "one"]
    assert model.access(again).server == "https://changed"


def test_writing_is_private_and_replaces_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config"
    model.write(path, {"clusters": []})
    model.write(path, MADE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert model.load(path) == MADE
    assert [found.name for found in path.parent.iterdir()] == ["config"]


def entry(**user: Any) -> model.Config:
    """A kubeconfig with that user."""
    return {
        "clusters": [{"name": "c", "cluster": {"server": "https://x/", "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "x", "context": {"cluster": "c", "user": "u"}},
            {"name": "nobody", "context": {"cluster": "c"}},
        ],
        "current-context": "x",
    }


def test_files_are_looked_up_beside_the_kubeconfig(tmp_path: Path) -> None:
    for name in ("token", "cert", "key"):
        (tmp_path / name).write_text(name + "\n")
    found = model.access(entry(**{"tokenFile": "token", "client-certificate": "cert", "client-key": "key"}), tmp_path)
    assert found == model.Access("https://x", certificate=b"cert\n", key=b"key\n", token="token", insecure=True)


def test_a_context_without_a_user_is_anonymous() -> None:
    assert model.access(entry(token="secret"), context="nobody").token == ""


MISTAKES = [
    (entry(), {"context": "y"}, "the kubeconfig has no context 'y'"),
    ({**entry(), "users": []}, {}, "the kubeconfig has no user 'u'"),
    ({**entry(), "clusters": None}, {}, "the kubeconfig has no cluster 'c'"),
    (entry(**{"client-key-data": "a"}), {}, "client-key-data is not base64"),
    (entry(**{"client-key": "gone"}), {}, "cannot read gone: No such file or directory"),
]


@pytest.mark.parametrize(("config", "options", "text"), MISTAKES, ids=[row[2] for row in MISTAKES])
def test_mistakes_are_told_in_a_line(config: model.Config, options: dict[str, str], text: str) -> None:
    with pytest.raises(model.KubeconfigError) as refused:
        model.access(config, **options)
    assert str(refused.value) == text


@pytest.mark.parametrize(
    ("text", "complaint"), [("a: [", "is not YAML"), ("just text", "is not a kubeconfig"), (None, "cannot read")]
)
def test_what_is_no_kubeconfig_is_refused(text: str | None, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(model.KubeconfigError, match=complaint):
        model.load(path)


def test_data_is_base64_in_the_file() -> None:
    user = yaml.safe_load(model.dump(MADE))["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]) == b"key"
