"""Recordings: what an API server answered to scenarios, kept in a file and held against another server.

A file is {"scenarios": [{"name", "steps": [...], "cluster"?: true}]}; a recording has a "want" in every step. A step:
do ("METHOD /path?query"), headers, body (JSON, or text that is sent as it is), save ({variable: JSON pointer}), as
("anonymous", "token:XYZ"), sleep (seconds), ignore ([JSON pointer, * for any]), until ({pointer: value} or "gone") with
within (seconds). {ns} is a namespace made for the scenario, {uniq} a token of the run, {variable} what a step saved.

What differs between any two runs (uids, versions, times, generated names, addresses) is replaced by placeholders before
answers are kept or compared; normal() and its tables say what. Key order does not count, list order does.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from conformance.target import Reply, Target

KEPT_HEADERS = ("content-type", "warning", "retry-after", "allow", "location", "www-authenticate")
WITHIN_SECONDS = 30.0
_POLL = 0.2

_ALPHABET = "[bcdfghjklmnpqrstvwxz2456789]"
# Replaced in every text, in this order.
_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uid>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"), "<jwt>"),
    (re.compile(r"(resource ?[vV]ersion[^0-9]{0,12})\d+( ?\(\d+\))?"), r"\1<rv>"),
)
_IPV4 = re.compile(r"(\d+\.){3}\d+")
_AGE = re.compile(r"(\d+[smhdy])+|<unknown>|<invalid>")
_COLUMN = {"type", "format", "priority"}
_PORTS = range(30000, 32768)
# Of a cluster with controllers and nodes: what they are free to choose, by the field that holds it.
_CHOSEN = {
    "nodeName": "<node>", "host": "<node>", "reportingInstance": "<node>",
    "podIP": "<ip>", "hostIP": "<ip>", "ip": "<ip>",
    "containerID": "<id>", "imageID": "<id>", "pod-template-hash": "<hash>", "controller-revision-hash": "<hash>",
    "controller-uid": "<uid>", "volumeName": "<volume>",
}  # fmt: skip
_UNORDERED = ("items", "addresses", "endpoints", "ports", "subsets", "conditions", "managedFields", "")
_SUFFIX = re.compile(
    f"-(?P<hash>{_ALPHABET}{{8,10}})(-(?P<both>{_ALPHABET}{{5}}))?(?![a-z0-9])|-(?P<rand>{_ALPHABET}{{5}})(?![a-z0-9])"
)
_NODE = re.compile(r"\b(hollow|node|worker)-\d+\b")
_SHAPE = '{"scenarios": [{"name": ..., "steps": [{"do": ...}]}]}'


class RecordingError(Exception):
    """A file that holds no scenarios; the message is one line for a person."""


def load(path: Path) -> list[dict[str, Any]]:
    """The scenarios of a file. RecordingError."""
    try:
        found = json.loads(path.read_text())
        scenarios: list[dict[str, Any]] = found["scenarios"]
        for scenario in scenarios:
            if not isinstance(scenario["name"], str) or not all(isinstance(s["do"], str) for s in scenario["steps"]):
                raise TypeError
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RecordingError(
            f'{path} is no file of scenarios: {{"scenarios": [{{"name": ..., "steps": [{{"do": ...}}]}}]}}'
        ) from error
    return scenarios


def pointed(document: Any, pointer: str) -> Any:
    """What a JSON pointer points at. LookupError, ValueError, TypeError."""
    for part in pointer.split("/")[1:]:
        word = part.replace("~1", "/").replace("~0", "~")
        document = document[int(word)] if isinstance(document, list) else document[word]
    return document


class _Names(Struct):
    """Variables of one scenario, and which real texts stand for which placeholders."""

    values: dict[str, str]
    shown: list[tuple[str, str]] = field(default_factory=list)

    def fill(self, value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"\{([a-z][A-Za-z0-9]*)\}", lambda m: self.values.get(m[1], m[0]), value)
        if isinstance(value, dict):
            return {self.fill(k): self.fill(v) for k, v in value.items()}
        return [self.fill(v) for v in value] if isinstance(value, list) else value

    def save(self, wanted: Mapping[str, str], document: Any) -> None:
        for name, pointer in wanted.items():
            try:
                self.values[name] = str(pointed(document, pointer))
            except (LookupError, ValueError, TypeError):
                self.values[name] = "<unsaved>"
                continue
            if pointer.endswith("/name") and len(self.values[name]) > 5:
                self.shown.append((self.values[name], f"{{{name}}}"))


def normal(value: Any, shown: Sequence[tuple[str, str]], key: str = "", parent: Mapping[str, Any] | None = None) -> Any:
    """The value with placeholders for what differs from run to run."""
    if isinstance(value, dict):
        return {normal(k, shown): normal(v, shown, k, value) for k, v in value.items()}
    if isinstance(value, list):
        items = [normal(v, shown, key) for v in value]
        return sorted(items, key=_order) if key == "managedFields" else items
    if isinstance(value, str):
        return _normal_text(value, shown, key, parent or {})
    if key in ("nodePort", "healthCheckNodePort") and isinstance(value, int) and value in _PORTS:
        return "<nodePort>"
    return value


def _normal_text(text: str, shown: Sequence[tuple[str, str]], key: str, parent: Mapping[str, Any]) -> str:
    if key == "description" and parent.keys() >= _COLUMN:
        return "<description>" if text else text
    if key == "resourceVersion" and text.isdigit() and text != "0":
        return "<rv>"
    if key == "continue" and text:
        return "<continue>"
    base = parent.get("generateName") if key == "name" else None
    if base and re.fullmatch(re.escape(base) + "[a-z0-9]{5}", text):
        return f"{_normal_text(base, shown, '', {})}<rand>"
    for real, placeholder in shown:
        text = text.replace(real, placeholder)
    for pattern, placeholder in _TEXTS:
        text = pattern.sub(placeholder, text)
    if key in ("clusterIP", "clusterIPs") and _IPV4.fullmatch(text):
        return "<ip>"
    return "<age>" if key == "cells" and _AGE.fullmatch(text) else text


def clustered(value: Any, key: str = "") -> Any:
    """A normal value without what controllers, the scheduler and nodes choose freely; lists of such in one order."""
    if isinstance(value, dict):
        return {
            k: _CHOSEN[k] if k in _CHOSEN and isinstance(v, str) and v else clustered(v, k) for k, v in value.items()
        }
    if isinstance(value, list):
        items = [clustered(v, key) for v in value]
        return sorted(items, key=_order) if key in _UNORDERED else items
    if isinstance(value, str):
        text = _SUFFIX.sub(_suffix, value)
        return _NODE.sub("<node>", re.sub(rf"\b{_IPV4.pattern}\b", "<ip>", text))
    return value


def _suffix(found: re.Match[str]) -> str:
    if found["hash"] is None:
        return "-<rand>"
    return "-<hash>-<rand>" if found["both"] else "-<hash>"


def _order(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def without(document: Any, parts: Sequence[str]) -> Any:
    """The document with what a pointer's parts name replaced by <ignored>."""
    if not parts:
        return "<ignored>"
    head, *rest = parts
    if isinstance(document, dict):
        return {k: without(v, rest) if head in ("*", k) else v for k, v in document.items()}
    if isinstance(document, list):
        return [without(v, rest) if head in ("*", str(i)) else v for i, v in enumerate(document)]
    return document


def play(target: Target, scenario: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run a scenario; each step's normal answer: status, headers, body (or status 0 and an error)."""
    token = secrets.token_hex(4)
    names = _Names({"ns": f"n{token}", "uniq": f"u{token}"}, [(f"n{token}", "{ns}"), (f"u{token}", "{uniq}")])
    if "{ns}" in json.dumps(scenario["steps"]):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": names.values["ns"]}}
        target.send("POST", "/api/v1/namespaces", {"Content-Type": "application/json"}, json.dumps(body).encode())
    return [_play_step(target, step, names, bool(scenario.get("cluster"))) for step in scenario["steps"]]


def _play_step(target: Target, step: Mapping[str, Any], names: _Names, cluster: bool) -> dict[str, Any]:
    time.sleep(step.get("sleep", 0))
    try:
        reply = _answer(target, step, names)
    except Exception as error:
        return {"status": 0, "error": f"{type(error).__name__}: {error}"}
    document = _parsed(reply, "watch=" in step["do"] and reply.status == 200)
    names.save(step.get("save", {}), document)
    body = normal(document, names.shown)
    if cluster:
        body = clustered(body)
    for pointer in step.get("ignore", ()):
        body = without(body, pointer.split("/")[1:])
    headers = {k: normal(v, names.shown) for k, v in reply.headers.items() if k in KEPT_HEADERS}
    return {"status": reply.status, "headers": headers, "body": body}


def _answer(target: Target, step: Mapping[str, Any], names: _Names) -> Reply:
    """Ask, again and again where the step says until when."""
    method, path = names.fill(step["do"]).split(" ", 1)
    headers, data = {"Accept": "application/json"}, None
    if "body" in step:
        body = names.fill(step["body"])
        headers["Content-Type"] = "application/json"
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers |= names.fill(step.get("headers", {}))
    deadline = time.monotonic() + step.get("within", WITHIN_SECONDS)
    while True:
        reply = target.send(method, path, headers, data, step.get("as"))
        if "until" not in step or _reached(step["until"], reply) or time.monotonic() > deadline:
            return reply
        time.sleep(_POLL)


def _reached(until: Any, reply: Reply) -> bool:
    if until == "gone" or reply.status >= 400:
        return bool(until == "gone" and reply.status == 404)
    for pointer, wanted in until.items():
        try:
            found = pointed(reply.body, pointer)
        except (LookupError, ValueError, TypeError):
            found = None
        if found != wanted:
            return False
    return True


def _parsed(reply: Reply, watch: bool) -> Any:
    text = reply.raw.decode("utf-8", "replace")
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()] if watch else json.loads(text)
    except ValueError:
        return text


def differences(wanted: Any, found: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(pointer, wanted, found) of every place that differs."""
    if type(wanted) is not type(found):
        yield at, wanted, found
    elif isinstance(wanted, dict):
        for key in sorted(wanted.keys() | found.keys()):
            if key not in wanted or key not in found:
                yield f"{at}/{key}", wanted.get(key, "<absent>"), found.get(key, "<absent>")
            else:
                yield from differences(wanted[key], found[key], f"{at}/{key}")
    elif isinstance(wanted, list):
        if len(wanted) != len(found):
            yield f"{at} (length)", len(wanted), len(found)
        for index, (one, other) in enumerate(zip(wanted, found, strict=False)):
            yield from differences(one, other, f"{at}/{index}")
    elif wanted != found:
        yield at, wanted, found


def record(target: Target, scenarios: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The scenarios with what the target answered in every step's want."""
    recorded = []
    for scenario in scenarios:
        answers = play(target, scenario)
        steps = [{**step, "want": answer} for step, answer in zip(scenario["steps"], answers, strict=True)]
        recorded.append({**scenario, "steps": steps})
    return recorded


def replay(target: Target, scenario: Mapping[str, Any]) -> list[str]:
    """Lines about what the target answers otherwise; none when all is the same."""
    lines = []
    for number, (step, answer) in enumerate(zip(scenario["steps"], play(target, scenario), strict=True), 1):
        found = list(differences(step["want"], answer))
        if found:
            lines.append(f"step {number}, {step['do']}:")
            for at, one, other in found:
                lines += [f"  {at}", f"    recorded {json.dumps(one)[:300]}", f"    now      {json.dumps(other)[:300]}"]
    return lines
