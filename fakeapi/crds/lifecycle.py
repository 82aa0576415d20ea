"""What becomes of a definition after it was written: names accepted or not, established, deleted with its objects.

Stands for apiextensions' naming, establishing, API approval and finalizer controllers. Pure: each function takes a
definition and what else is known, and gives the definition as it should be next, or None when nothing is to be done.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from fakeapi import gourl
from fakeapi.gofmt import go_quote
from fakeapi.strategies.base import Obj

FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_WHY = "https://github.com/kubernetes/enhancements/pull/1111"
APPROVED = "api-approved.kubernetes.io"
_PROTECTED = (".k8s.io", ".kubernetes.io")


def condition_of(status: Obj, kind: str) -> Obj | None:
    """The condition of that type."""
    return next((c for c in status.get("conditions") or () if c["type"] == kind), None)


def is_true(definition: Obj, kind: str) -> bool:
    """Whether the condition holds."""
    found = condition_of(definition.get("status") or {}, kind)
    return found is not None and found["status"] == "True"


def set_condition(status: Obj, kind: str, value: str, reason: str, message: str, now: str) -> None:
    """Add or change a condition; its transition time is kept while its status stays."""
    found = condition_of(status, kind)
    fresh = {"type": kind, "status": value, "lastTransitionTime": now, "reason": reason, "message": message}
    if found is None:
        status["conditions"] = [*(status.get("conditions") or ()), fresh]
        return
    if found["status"] == value:
        fresh["lastTransitionTime"] = found.get("lastTransitionTime", now)
    found.update(fresh)


def advance(definition: Obj, others: Iterable[Obj], now: str) -> Obj | None:
    """The definition after the next step on its way to being served. others: the group's other definitions."""
    return _accept_names(definition, others, now) or _approve(definition, now) or _establish(definition, now)


def _accept_names(definition: Obj, others: Iterable[Obj], now: str) -> Obj | None:
    wanted, status = definition["spec"]["names"], definition["status"]
    accepted = status.get("acceptedNames") or {}
    if _same_names(wanted, accepted):
        return None
    taken, kinds = _taken([*others, definition])
    names, problem = _calculate(wanted, accepted, taken, kinds)
    new: Obj = _copied(definition)
    reason, message = problem or ("NoConflicts", "no conflicts found")
    old = condition_of(status, "NamesAccepted")
    value = "False" if problem else "True"
    if (
        names == accepted
        and old is not None
        and (old["status"], old["reason"], old["message"]) == (value, reason, message)
    ):
        return None
    new["status"]["acceptedNames"] = names
    set_condition(new["status"], "NamesAccepted", value, reason, message, now)
    if not is_true(new, "Established"):
        if not problem:
            set_condition(
                new["status"], "Established", "False", "Installing", "the initial names have been accepted", now
            )
        elif condition_of(status, "Established") is None:
            set_condition(new["status"], "Established", "False", "NotAccepted", "not all names are accepted", now)
    return new


_NAMES = ("plural", "singular", "shortNames", "kind", "listKind", "categories")


def _copied(definition: Obj) -> Obj:
    """A copy whose status and metadata may be changed; the spec is shared."""
    changed = {key: copy.deepcopy(definition[key]) for key in ("metadata", "status")}
    return {**definition, **changed}


def _same_names(one: Obj, other: Obj) -> bool:
    return all((one.get(key) or None) == (other.get(key) or None) for key in _NAMES)


def _taken(definitions: Iterable[Obj]) -> tuple[set[str], set[str]]:
    """Resource names and kinds that are accepted already."""
    names: set[str] = set()
    kinds: set[str] = set()
    for definition in definitions:
        accepted = (definition.get("status") or {}).get("acceptedNames") or {}
        names |= {accepted.get("plural", ""), accepted.get("singular", ""), *(accepted.get("shortNames") or ())}
        kinds |= {accepted.get("kind", ""), accepted.get("listKind", "")}
    return names, kinds


def _calculate(wanted: Obj, accepted: Obj, taken: set[str], kinds: set[str]) -> tuple[Obj, tuple[str, str] | None]:
    """The names to accept, and the last conflict as (reason, message)."""
    names = {"plural": "", "kind": "", **accepted}
    problem: tuple[str, str] | None = None
    steps = (("plural", taken), ("singular", taken), ("shortNames", taken), ("kind", kinds), ("listKind", kinds))
    for key, used in steps:
        if key == "shortNames":
            known = accepted.get(key) or []
            clashes = [name for name in wanted.get(key) or () if name not in known and name in used]
        else:
            value = wanted.get(key, "")
            clashes = [value] if value != accepted.get(key, "") and value in used else []
        if clashes:
            problem = f"{key[0].upper()}{key[1:]}Conflict", _all_in_use(clashes)
        elif wanted.get(key):
            names[key] = wanted[key]
        else:
            names.pop(key, None)
    names.pop("categories", None)
    if wanted.get("categories"):
        names["categories"] = wanted["categories"]
    return names, problem


def _all_in_use(names: list[str]) -> str:
    texts = [f"{go_quote(name)} is already in use" for name in names]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def approval(definition: Obj) -> tuple[str, str, str] | None:
    """(status, reason, message) of KubernetesAPIApprovalPolicyConformant; None for groups that need no approval."""
    group = definition["spec"]["group"]
    if not (group.endswith(_PROTECTED) or group in ("k8s.io", "kubernetes.io")):
        return None
    text = (definition["metadata"].get("annotations") or {}).get(APPROVED, "")
    if text.startswith("unapproved"):
        return "False", "UnapprovedAnnotation", f"not approved: {go_quote(text)}"
    if not gourl.request_problem(text) and all(urlsplit(text)[:2]):
        return "True", "ApprovedAnnotation", f"approved in {text}"
    if text:
        return (
            "False",
            "InvalidAnnotation",
            f'protected groups must have approval annotation "{APPROVED}" with either a URL'
            f' or a reason starting with "unapproved", see {_WHY}',
        )
    return (
        "False",
        "MissingAnnotation",
        f'protected groups must have approval annotation "{APPROVED}", see {_WHY}',
    )


def _approve(definition: Obj, now: str) -> Obj | None:
    wanted = approval(definition)
    if wanted is None:
        return None
    old = condition_of(definition["status"], "KubernetesAPIApprovalPolicyConformant")
    if old is not None and (old["status"], old["reason"], old["message"]) == wanted:
        return None
    new: Obj = _copied(definition)
    set_condition(new["status"], "KubernetesAPIApprovalPolicyConformant", *wanted, now)
    return new


def _establish(definition: Obj, now: str) -> Obj | None:
    if is_true(definition, "Established") or not is_true(definition, "NamesAccepted"):
        return None
    new: Obj = _copied(definition)
    text = "the initial names have been accepted"
    set_condition(new["status"], "Established", "True", "InitialNamesAccepted", text, now)
    return new


def is_ending(definition: Obj) -> bool:
    """Whether its objects are to be deleted."""
    metadata = definition["metadata"]
    return bool(metadata.get("deletionTimestamp")) and FINALIZER in (metadata.get("finalizers") or ())


def terminating(definition: Obj, now: str, value: str, reason: str, message: str) -> Obj:
    """The definition with that Terminating condition."""
    new: Obj = _copied(definition)
    set_condition(new["status"], "Terminating", value, reason, message, now)
    return new


def without_finalizer(definition: Obj) -> Obj:
    """The definition when all objects are gone."""
    new: dict[str, Any] = _copied(definition)
    left = [name for name in new["metadata"]["finalizers"] if name != FINALIZER]
    if left:
        new["metadata"]["finalizers"] = left
    else:
        del new["metadata"]["finalizers"]
    return new
