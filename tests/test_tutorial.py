"""The tutorial's files are written as it shows them, and its tests and commands are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import program

TUTORIAL = (Path(__file__).resolve().parent.parent / "docs" / "tutorial.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(?:# (\S+)\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file of the tutorial under its name."""
    made = tmp_path_factory.mktemp("tutorial")
    for _, name, text in BLOCK.findall(TUTORIAL):
        if name:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_text(text)
    return made


def run(directory: Path, *command: str) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", re.findall(r"^# (test_\S+\.py)$", TUTORIAL, re.MULTILINE))
def test_python(directory: Path, name: str) -> None:
    program("kubectl")
    if "helm" in (directory / name).read_text():
        program("helm")
    run(directory, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name)


@pytest.mark.parametrize("text", [text for language, _, text in BLOCK.findall(TUTORIAL) if language == "sh"])
def test_shell(directory: Path, text: str) -> None:
    program("kubectl")
    run(directory, "sh", "-ec", text)


def test_nothing_is_left_out() -> None:
    languages = [language for language, _, _ in BLOCK.findall(TUTORIAL)]
    assert sorted(set(languages)) == ["python", "sh", "yaml"]
    assert TUTORIAL.count("```") == 2 * len(languages)


@pytest.mark.parametrize(("language", "name", "text"), BLOCK.findall(TUTORIAL))
def test_every_block_has_a_part_in_what_is_run(language: str, name: str, text: str) -> None:
    if language == "sh" or name.startswith("test_"):
        return  # run by themselves
    others = "".join(other for _, _, other in BLOCK.findall(TUTORIAL) if other != text)
    assert name
    assert name.partition("/")[0] in others
