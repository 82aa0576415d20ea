"""PodSecurity: Pods keep to the standard that their namespace's labels name; workloads are warned.

Stands for plugin/pkg/admission/security/podsecurity and k8s.io/pod-security-admission/admission with its default
configuration (privileged, nothing exempt). Leaves out audit annotations.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from fakeapi import errors
from fakeapi.admission.base import CREATE, UPDATE, Attributes, Host, Obj, forbidden
from fakeapi.admission.podsecuritychecks import evaluate
from fakeapi.errors import FieldError
from fakeapi.patterns import lazy

NAME = "PodSecurity"
LEVELS = ("privileged", "baseline", "restricted")
LATEST = "latest"
MAX_PODS = 3000
_PREFIX = "pod-security.kubernetes.io/"
_VERSION = lazy(r"v1\.(0|[1-9][0-9]*)")
# What of a Pod is not looked at (the Pod itself and its ephemeral containers are).
_IGNORED = frozenset(("exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"))
# Workloads -> where their Pod template is.
_TEMPLATES: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "podtemplates"): ("template",),
    ("", "replicationcontrollers"): ("spec", "template"),
    ("apps", "daemonsets"): ("spec", "template"),
    ("apps", "deployments"): ("spec", "template"),
    ("apps", "replicasets"): ("spec", "template"),
    ("apps", "statefulsets"): ("spec", "template"),
    ("batch", "cronjobs"): ("spec", "jobTemplate", "spec", "template"),
    ("batch", "jobs"): ("spec", "template"),
}


class Standard(Struct, frozen=True):
    """A level in a version ("latest" or "v1.N")."""

    level: str = "privileged"
    version: str = LATEST

    def minor(self, newest: int) -> int:
        """The minor that counts."""
        return newest if self.version == LATEST else min(newest, int(self.version[3:]))

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


class Policy(Struct, frozen=True):
    """A namespace's standards."""

    enforce: Standard = Standard()
    audit: Standard = Standard()
    warn: Standard = Standard()


_PRIVILEGED = Policy()


def policy_of(labels: Obj) -> tuple[Policy, list[FieldError]]:
    """The policy that labels name; what cannot be read counts as restricted:latest for enforce, else as privileged."""
    policy, found = _PRIVILEGED, []
    for mode in ("enforce", "audit", "warn"):
        standard = Standard()
        level = labels.get(_PREFIX + mode)
        if level is not None:
            known = level in LEVELS
            standard = replace(standard, level=level if known else "restricted" if mode == "enforce" else "privileged")
            if not known:
                found.append(_bad(mode, level, f"must be one of {', '.join(LEVELS)}"))
        version = labels.get(f"{_PREFIX}{mode}-version")
        if version is not None:
            known = version == LATEST or bool(_VERSION.fullmatch(version))
            standard = replace(standard, version=version if known else LATEST)
            if not known:
                found.append(_bad(f"{mode}-version", version, 'must be "latest" or "v1.x"'))
        policy = replace(policy, **{mode: standard})
    if _PREFIX + "warn" not in labels and labels.get(_PREFIX + "enforce") in LEVELS[1:]:
        # The warnings follow what is enforced, where that is stricter than nothing.
        version = policy.warn.version if f"{_PREFIX}warn-version" in labels else policy.enforce.version
        policy = replace(policy, warn=Standard(policy.enforce.level, version))
    return policy, found


def _bad(label: str, value: str, why: str) -> FieldError:
    return errors.invalid(f"metadata.labels[{_PREFIX}{label}]", value, why)


class PodSecurity:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader
        self._newest = host.config.minor

    def handles(self, attributes: Attributes) -> bool:
        """Namespaces, Pods and what makes Pods."""
        if attributes.operation not in (CREATE, UPDATE):
            return False
        key = (attributes.group, attributes.resource)
        if key == ("", "pods"):
            return attributes.subresource not in _IGNORED
        return not attributes.subresource and (key in _TEMPLATES or key == ("", "namespaces"))

    async def admit(self, attributes: Attributes) -> None:
        """Nothing is changed."""

    async def validate(self, attributes: Attributes) -> None:
        """ApiError 403 for a Pod, 422 for bad labels of a namespace; warnings."""
        if attributes.resource == "namespaces":
            await self._namespace(attributes)
            return
        namespace = await self._reader.get("", "namespaces", "", attributes.namespace)
        labels = ((namespace or {}).get("metadata") or {}).get("labels") or {}
        policy, unread = policy_of(labels)
        if attributes.resource == "pods":
            if policy != _PRIVILEGED or unread:
                self._pod(attributes, policy)
        elif policy.warn.level != "privileged":
            self._workload(attributes, policy)

    def _pod(self, attributes: Attributes, policy: Policy) -> None:
        pod = attributes.obj or {}
        if attributes.operation == UPDATE and not _significant(
            pod.get("spec") or {}, (attributes.old or {}).get("spec") or {}
        ):
            return
        found = self._details(policy.enforce, pod)
        if found:
            text = f'violates PodSecurity "{policy.enforce}": {found}'
            raise forbidden(attributes, text)
        self._warn(attributes, policy, pod)

    def _workload(self, attributes: Attributes, policy: Policy) -> None:
        template: Obj | None = attributes.obj
        for key in _TEMPLATES[attributes.group, attributes.resource]:
            template = (template or {}).get(key)
        if template:
            self._warn(attributes, policy, template)

    def _warn(self, attributes: Attributes, policy: Policy, pod: Obj) -> None:
        found = self._details(policy.warn, pod)
        if found:
            attributes.warnings.append(f'would violate PodSecurity "{policy.warn}": {found}')

    def _details(self, standard: Standard, pod: Obj) -> str:
        annotations = (pod.get("metadata") or {}).get("annotations") or {}
        found = evaluate(standard.level, standard.minor(self._newest), annotations, pod.get("spec") or {})
        return ", ".join(f"{reason} ({detail})" if detail else reason for reason, detail in found)

    async def _namespace(self, attributes: Attributes) -> None:
        """A stricter level for a namespace that has Pods: say which Pods break it."""
        assert attributes.obj is not None
        policy, found = policy_of(attributes.obj["metadata"].get("labels") or {})
        if attributes.operation == CREATE:
            if found:
                raise errors.invalid_object("", "Namespace", attributes.name, found)
            return
        before, known = policy_of(((attributes.old or {}).get("metadata") or {}).get("labels") or {})
        if found and found != known:
            raise errors.invalid_object("", "Namespace", attributes.name, found)
        new, old = policy.enforce, before.enforce
        same_version = new.version == old.version
        if (
            new == old
            or new.level == "privileged"
            or (same_version and LEVELS.index(new.level) <= LEVELS.index(old.level))
        ):
            return
        attributes.warnings += await self._existing(attributes.name, new)

    async def _existing(self, namespace: str, standard: Standard) -> list[str]:
        pods = _one_of_each(await self._reader.list("", "pods", namespace))
        warnings = []
        if len(pods) > MAX_PODS:
            of = f"the first {MAX_PODS} of {len(pods)}"
            warnings.append(f"new PodSecurity enforce level only checked against {of} existing pods")
        broken: dict[str, list[str]] = {}
        for pod in pods[:MAX_PODS]:
            annotations = pod["metadata"].get("annotations") or {}
            found = evaluate(standard.level, standard.minor(self._newest), annotations, pod.get("spec") or {})
            if found:
                broken.setdefault(", ".join(reason for reason, _ in found), []).append(pod["metadata"]["name"])
        if broken:
            warnings.append(
                f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"'
            )
        return warnings + sorted(f"{_counted(names)}: {text}" for text, names in broken.items())


def _counted(names: list[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other {'pod' if others == 1 else 'pods'})"


def _one_of_each(pods: list[Obj]) -> list[Obj]:
    """One Pod of each controller first, then the others."""
    first: list[Obj] = []
    others: list[Obj] = []
    seen = set()
    for pod in pods:
        owner = next((r["uid"] for r in pod["metadata"].get("ownerReferences") or () if r.get("controller")), None)
        (others if owner in seen else first).append(pod)
        if owner is not None:
            seen.add(owner)
    return first + others


def _significant(new: Obj, old: Obj) -> bool:
    """isSignificantPodUpdate: other containers or images."""
    for kind in ("containers", "initContainers"):
        if [c.get("image") for c in new.get(kind) or ()] != [c.get("image") for c in old.get(kind) or ()]:
            return True
    before = {c["name"]: c.get("image") for c in old.get("ephemeralContainers") or ()}
    return any(
        c["name"] not in before or before[c["name"]] != c.get("image") for c in new.get("ephemeralContainers") or ()
    )
