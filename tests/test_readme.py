"""The README tells the truth: its transcripts, its Python and its commands are run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import program
from tests.e2e.processes import FAKEKUBE, cluster, run

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
# What differs between two runs: ages, generated names, pod IPs and the padding that goes with them.
VARIABLE = [
    (re.compile(r"(?<=\s)\d+m?s(?=\s|$)"), "<age>"),
    (re.compile(r"-[0-9a-f]{8,10}-[a-z0-9]{5}\b"), "-<pod>"),
    (re.compile(r"\b10\.\d+\.\d+\.\d+\b"), "<ip>"),
    (re.compile(r"\bnode-\d+\b"), "<node>"),
    (re.compile(r"[ -]{2,}"), " "),
]


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def steps(transcript: str) -> Iterator[tuple[str, str]]:
    """Each `$ command` with the output shown below it."""
    for part in re.split(r"^\$ ", transcript, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def comparable(text: str) -> list[str]:
    """The lines of an output without what varies; order of rows does not count."""
    for pattern, placeholder in VARIABLE:
        text = pattern.sub(placeholder, text)
    return sorted(line.strip() for line in text.splitlines())


def test_transcripts(tmp_path: Path) -> None:
    program("kubectl")
    transcripts = blocks("console")
    assert len(transcripts) == 2
    with cluster(tmp_path, "--nodes", "2") as kubeconfig:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {"KUBECONFIG": str(kubeconfig), "PATH": path, "HOME": str(tmp_path)}
        for command, shown in (step for transcript in transcripts for step in steps(transcript)):
            result = run("sh", "-c", command, env=environment, cwd=tmp_path)
            assert comparable(result.stdout + result.stderr) == comparable(shown), command


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: "pytest" if "def test_" in code else "script")
def test_python(code: str, tmp_path: Path) -> None:
    program("kubectl")
    file = tmp_path / "test_example.py"
    file.write_text(code)
    tests = code.count("def test_")
    command = (
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
        if tests
        else [sys.executable, str(file)]
    )
    result = run(*command, cwd=tmp_path)
    assert result.status == 0, result.stdout + result.stderr
    assert not tests or f"{tests} passed" in result.stdout


def test_the_first_command_is_the_flow_that_the_kubectl_tests_run() -> None:
    from tests.e2e.test_kubectl_rollout import FLOW

    setup, test = (block.strip() for block in blocks("sh"))
    assert setup == (
        "scripts/install && .venv/bin/fakekube up --nodes 3 --port 0 --kubeconfig ./k -- sh -ec "
        f"'{'; '.join(FLOW.strip().splitlines())}'"
    )
    assert test == "scripts/test"
    assert all(os.access(ROOT / script, os.X_OK) for script in ("scripts/install", "scripts/test", ".ci/run"))


def test_the_table_of_commands_is_complete() -> None:
    said = run(FAKEKUBE, "--help", env={"COLUMNS": "200"}).stdout
    listed = re.findall(r"^    (\w+)  ", said, re.MULTILINE)
    assert len(listed) > 5
    table = "".join(line for line in README.splitlines() if line.startswith("| `fakekube "))
    assert [name for name in listed if not re.search(rf"\b{name}`", table)] == []


def test_links_lead_somewhere() -> None:
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)#]+)", prose)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
