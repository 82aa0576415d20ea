"""The command line: what a person's mistakes get, what is left behind, what is imported."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fakeapi.cli import build_parser, main
from tests.conftest import program
from tests.e2e.processes import FAKEKUBE, Result, cluster, eventually, run

# Half a second on a quiet machine, less than anything that waits for a client to go: TLS alone gives it thirty.
SOON = 20

# (arguments, who answers, what it says)
BAD_FLAGS = [
    (["up", "--nodes", "many"], "fakekube up", "argument --nodes: 'many' is not a number of at least 0"),
    (["up", "--port", "70000"], "fakekube up", "argument --port: '70000' is not a port between 0 and 65535"),
    (
        ["up", "--kubernetes-version", "2"],
        "fakekube up",
        "argument --kubernetes-version: '2' is not a version between 1.25 and 1.37",
    ),
    (["up", "--surprise"], "fakekube", "unrecognized arguments: --surprise"),
    (["nodes"], "fakekube nodes", "the following arguments are required: --kubeconfig"),
    ([], "fakekube", "the following arguments are required: COMMAND"),
]


@pytest.mark.parametrize(
    ("arguments", "who", "what"), BAD_FLAGS, ids=[" ".join(row[0]) or "nothing" for row in BAD_FLAGS]
)
def test_a_bad_flag_gets_one_line_and_status_2(
    arguments: list[str], who: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert (left.value.code, capsys.readouterr().err) == (2, f"{who}: {what} (see {who} --help)\n")


def one_line(result: Result, *texts: str) -> None:
    """A mistake's answer: status 1, one line on stderr with these texts, nothing else."""
    assert (result.status, result.stdout, result.stderr.count("\n")) == (1, "", 1), result
    assert result.stderr.startswith("fakekube: ")
    assert [text for text in texts if text not in result.stderr] == []


@pytest.mark.parametrize("command", [["up", "--port"], ["serve", "--secure-port"]], ids=["up", "serve"])
def test_a_port_in_use_gets_one_line(command: list[str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run(FAKEKUBE, *command, port, "--kubeconfig", str(tmp_path / "k"))
    one_line(result, f"cannot listen on 127.0.0.1:{port}: Address already in use", "--port 0 takes any free port")
    assert not (tmp_path / "k").exists()


@pytest.mark.parametrize("command", [["up", "--port", "0"], ["serve", "--secure-port", "0"]], ids=["up", "serve"])
@pytest.mark.parametrize("place", ["a-file/kubeconfig", "a-directory"])
def test_a_kubeconfig_that_cannot_be_written_gets_one_line(command: list[str], place: str, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    (tmp_path / "a-directory").mkdir()
    one_line(run(FAKEKUBE, *command, "--kubeconfig", str(tmp_path / place)), str(tmp_path / place.split("/")[0]))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a-directory", "a-file"]


MISTAKES = [
    (["serve", "--secure-port", "0", "--enable-admission-plugins", "Nope"], "admission plugin 'Nope' is unknown"),
    (["serve", "--secure-port", "0", "--authorization-mode", "Nope"], "'Nope' is not supported"),
    (["serve", "--secure-port", "0", "--service-cluster-ip-range", "10.0.0.0/99"], "--service-cluster-ip-range: "),
    (["serve", "--secure-port", "0", "--token-auth-file", "missing.csv"], "missing.csv: No such file or directory"),
    (["serve", "--secure-port", "0", "--tls-cert-file", "missing.pem"], "missing.pem"),
    (["serve", "--secure-port", "0", "--data", "/proc/nope"], "/proc/nope"),
    (["serve", "--secure-port", "0", "--bind-address", "192.0.2.1"], "cannot listen on 192.0.2.1:0"),
    (["serve", "--secure-port", "0", "--client-ca-file", "missing.pem"], "cannot read the CA of clients missing.pem"),
    (["serve", "--secure-port", "0", "--authorization-mode", ""], "at least one authorization mode is needed"),
    (["up", "--port", "0", "--data", "d", "--etcd", "http://127.0.0.1:1"], "in etcd (--etcd-servers), not in both"),
    (["up", "--port", "0", "--etcd", "http://127.0.0.1:1"], "cannot use the store: http://127.0.0.1:1"),
    (["up", "--port", "0", "--controllers", "nope"], '"nope" is not in the list of known controllers'),
    (["up", "--port", "0", "--apply", "missing.yaml"], "cannot read missing.yaml"),
    (["up", "--port", "0", "--faults", "missing.yaml"], "cannot read missing.yaml"),
    (["scheduler"], "cannot use k: "),
    (["up", "--port", "0", "--scheduler-plugins", "missing.py"], "cannot use missing.py: "),
    (["kubeconfig", "print"], "k: "),
]


@pytest.mark.parametrize(("arguments", "text"), MISTAKES, ids=[" ".join(row[0]) for row in MISTAKES])
def test_a_mistake_gets_one_line_and_no_traceback(arguments: list[str], text: str, tmp_path: Path) -> None:
    one_line(run(FAKEKUBE, *arguments, "--kubeconfig", "k", cwd=tmp_path), text)


def test_up_without_its_command_does_not_start(tmp_path: Path) -> None:
    result = run(FAKEKUBE, "up", "--port", "0", "--kubeconfig", "k", "--", "no-such-command", cwd=tmp_path)
    assert (result.status, result.stderr) == (127, "fakekube: the command 'no-such-command' is not there\n")


def test_up_ends_with_the_status_of_its_command(tmp_path: Path) -> None:
    look = 'test "$KUBECONFIG" = "$PWD/k" && stat -c %a k && exit 7'
    result = run(
        FAKEKUBE, "up", "--nodes", "0", "--port", "0", "--kubeconfig", "k", "--", "sh", "-c", look, cwd=tmp_path
    )
    assert (result.status, result.stdout, result.stderr) == (7, "600\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [["up", "--port", "0"], ["serve", "--secure-port", "0"]], ids=["up", "serve"])
def test_a_signal_ends_it_at_once_and_nothing_is_left(
    command: list[str], number: signal.Signals, tmp_path: Path
) -> None:
    scratch, kubeconfig = tmp_path / "scratch", tmp_path / "k"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    arguments = [FAKEKUBE, *command, "--kubeconfig", str(kubeconfig)]
    process = subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    eventually(lambda: kubeconfig.exists() or process.poll() is not None, "the kubeconfig")
    assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
    port = re.search(r"server: https://127\.0\.0\.1:(\d+)", kubeconfig.read_text())
    assert port is not None
    start = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=90)
    assert time.monotonic() - start < SOON
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert list(scratch.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port[1])))


def test_a_signal_ends_the_command_too(tmp_path: Path) -> None:
    marker = tmp_path / "started"
    arguments = [FAKEKUBE, "up", "--nodes", "0", "--port", "0", "--kubeconfig", str(tmp_path / "k")]
    process = subprocess.Popen([*arguments, "--", "sh", "-c", f"touch {marker}; exec sleep 60"], start_new_session=True)
    eventually(marker.exists, "the command")
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(90) == 128 + signal.SIGTERM
    assert time.monotonic() - start < SOON
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


HEAVY = ("fakenodes", "kubernetes", "conformance")
IMPORTS = [
    ("import fakeapi.cli; fakeapi.cli.build_parser()", (*HEAVY, "fakeapi.app", "starlette", "cryptography")),
    ("import fakeapi.commands.serve, fakeapi.launch", HEAVY),
    ("import fakeapi.pytest_plugin", (*HEAVY, "fakeapi.app")),
    ("import fakeapi", (*HEAVY, "fakeapi.app")),
    ("import kubeconfig", ("fakeapi", "fakenodes", "kubernetes")),
    ("import fakenodes.components", ("fakeapi.app", "fakeapi.storage", "kubernetes")),
]


@pytest.mark.parametrize(("code", "heavy"), IMPORTS, ids=[row[0] for row in IMPORTS])
def test_what_is_not_needed_is_not_imported(code: str, heavy: tuple[str, ...]) -> None:
    look = f"import sys\n{code}\nprint(*[name for name in {heavy!r} if name in sys.modules])"
    assert run(sys.executable, "-c", look).stdout == "\n"


def test_serving_requests_imports_neither_components_nor_the_client(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from fakeapi.commands import common, serve\n"
        "from fakeapi.cli import build_parser\n"
        "options = build_parser().parse_args(['serve', '--secure-port', '0', '--kubeconfig', sys.argv[1]])\n"
        "async def main(stop):\n"
        "    stop.set()\n"
        "    return await serve._serve(options, stop)\n"
        "status = common.run(main)\n"
        f"print(status, *[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    assert run(sys.executable, "-c", code, str(tmp_path / "k")).stdout == "0\n"


def test_every_flag_has_a_help_text() -> None:
    parsers = [build_parser()]
    undocumented = []
    while parsers:
        parser = parsers.pop()
        for action in parser._actions:
            if isinstance(action.choices, dict):
                parsers += list(action.choices.values())
            elif not action.help:
                undocumented.append(f"{parser.prog} {action.option_strings or action.dest}")
    assert undocumented == []


def test_kubeconfigs_are_printed_merged_and_made_for_others(tmp_path: Path) -> None:
    kubectl = program("kubectl")
    pki, merged = tmp_path / "pki", tmp_path / "merged"
    with cluster(tmp_path, "--cert-dir", str(pki), command="serve") as kubeconfig:
        shown = run(FAKEKUBE, "kubeconfig", "print", "--kubeconfig", str(kubeconfig))
        assert shown.stdout == kubeconfig.read_text()
        told = run(FAKEKUBE, "kubeconfig", "merge", "--kubeconfig", str(kubeconfig), "--into", str(merged))
        assert told.stderr == f"{merged} now has the context fakekube, and it is current.\n"
        options = ("--kubeconfig", str(kubeconfig), "--cert-dir", str(pki), "--user", "jane", "--group", "devs")
        run(FAKEKUBE, "kubeconfig", "generate", *options, "--output", str(tmp_path / "jane"))
        who = {
            name: run(
                kubectl,
                "--kubeconfig",
                str(tmp_path / name),
                "auth",
                "whoami",
                "-o",
                "jsonpath={.status.userInfo['username','groups']}",
            )
            for name in ("merged", "jane")
        }
    assert who["merged"].stdout.startswith("kubernetes-admin"), who
    assert who["jane"].stdout == 'jane ["devs","system:authenticated"]', who


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_a_killed_up_takes_its_command_along(tmp_path: Path) -> None:
    told, arguments = tmp_path / "told", ["up", "--nodes", "0", "--port", "0", "--kubeconfig", str(tmp_path / "k")]
    command = ["sh", "-c", f"echo $$ > {told}; exec sleep 600"]
    with subprocess.Popen([FAKEKUBE, *arguments, "--", *command], stderr=subprocess.DEVNULL) as up:
        try:
            eventually(lambda: told.exists() and told.read_text().strip(), "the command runs")
        finally:
            up.kill()
    state = Path(f"/proc/{int(told.read_text())}/stat")

    def over() -> bool:
        try:
            return state.read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    eventually(over, "it ends")
