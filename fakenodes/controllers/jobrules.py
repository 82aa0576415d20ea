"""The rules of a Job: sets of indexes, pod failure policy, success policy.

Stands for kube-controller-manager's job indexed_job_utils.go, pod_failure_policy.go and success_policy.go. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fakenodes.client.base import Obj
from fakenodes.controllers.pods import condition

INDEX_MARK = "batch.kubernetes.io/job-completion-index"
FAILURES_MARK = "batch.kubernetes.io/job-index-failure-count"
IGNORED_MARK = "batch.kubernetes.io/job-index-ignored-failure-count"


class Indexes:
    """A set of indexes, written as `1,3-5`."""

    def __init__(self, found: Iterable[int] = ()) -> None:
        self._found = set(found)

    @staticmethod
    def parse(text: str) -> Indexes:
        """The set that the text says; parts that say nothing are left out."""
        found = Indexes()
        for part in text.split(","):
            first, _, last = part.partition("-")
            if first.isdigit() and (last or first).isdigit():
                found.add(range(int(first), int(last or first) + 1))
        return found

    def add(self, numbers: Iterable[int]) -> None:
        """Take them in."""
        self._found.update(numbers)

    def __contains__(self, number: int) -> bool:
        return number in self._found

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._found))

    def __str__(self) -> str:
        runs: list[list[int]] = []
        for number in self:
            if runs and runs[-1][1] == number - 1:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        # Two neighbours are a pair, three and more a range.
        return ",".join(str(a) if a == b else f"{a},{b}" if b == a + 1 else f"{a}-{b}" for a, b in runs)


def index_of(pod: Obj) -> int:
    """The pod's completion index; -1 when it has none."""
    text = (pod["metadata"].get("annotations") or {}).get(INDEX_MARK, "")
    return int(text) if text.isdigit() else -1


def count_of(pod: Obj, mark: str) -> int:
    """The number in an annotation; 0 when there is none."""
    text = (pod["metadata"].get("annotations") or {}).get(mark, "")
    return int(text) if text.isdigit() and int(text) < 2**31 else 0


def condition_true(obj: Obj, type: str) -> Obj | None:
    """The condition if it is True."""
    found = condition(obj, type)
    return found if found is not None and found.get("status") == "True" else None


def failure_action(job: Obj, pod: Obj) -> tuple[str, str]:
    """(Count, Ignore, FailIndex or FailJob; the message of the rule that says FailJob): the first rule that matches."""
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        action = rule["action"]
        meta = pod["metadata"]
        who = f"{meta['namespace']}/{meta['name']}"
        if rule.get("onExitCodes") and (pod.get("status") or {}).get("phase") == "Failed":
            hit = _exit_hit(rule["onExitCodes"], pod)
            if hit:
                return action, (
                    f"Container {hit[0]} for pod {who} failed with exit code {hit[1]} matching {action} "
                    f"rule at index {number}"
                )
        for pattern in rule.get("onPodConditions") or ():
            found = condition(pod, pattern["type"])
            if found is not None and found.get("status") == pattern.get("status", "True"):
                return action, f"Pod {who} has condition {pattern['type']} matching {action} rule at index {number}"
    return "Count", ""


def _exit_hit(rule: Obj, pod: Obj) -> tuple[str, int] | None:
    status = pod.get("status") or {}
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        ended: dict[str, Any] = (each.get("state") or {}).get("terminated") or {}
        code = ended.get("exitCode", 0)
        if code == 0 or rule.get("containerName") not in (None, each["name"]):
            continue
        if (code in rule["values"]) == (rule["operator"] == "In"):
            return each["name"], code
    return None


def success_rule(job: Obj, completed: Indexes) -> str:
    """The message of the first success policy rule that the completed indexes meet, else ""."""
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        wanted = Indexes.parse(rule["succeededIndexes"]) if rule.get("succeededIndexes") else None
        counted = [n for n in completed if wanted is None or n in wanted]
        enough = rule.get("succeededCount", len(wanted) if wanted is not None else 0)
        if counted and len(counted) >= enough:
            return f"Matched rules at index {number}"
    return ""
