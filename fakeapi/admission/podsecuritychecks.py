"""The Pod Security Standards as a table of checks: what a Pod's spec breaks, in upstream's words.

Stands for k8s.io/pod-security-admission/policy. A check has a level, the versions (minors of 1.x) from which its
functions hold, and what it replaces; a function gives the detail of a violation or "". Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct

from fakeapi.gofmt import go_quote

Obj = dict[str, Any]
BASELINE, RESTRICTED = "baseline", "restricted"
# (annotations, spec) -> (reason, detail), None when nothing is wrong.
Found = tuple[str, str] | None
Function = Callable[[Obj, Obj], Found]

_CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
_VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
_SYSCTLS = (
    "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range "
    "net.ipv4.ip_unprivileged_port_start"
)
_SYSCTLS_27 = f"{_SYSCTLS} net.ipv4.ip_local_reserved_ports"
_SYSCTLS_29 = (
    f"{_SYSCTLS_27} net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl "
    "net.ipv4.tcp_keepalive_probes"
)
_SYSCTLS_32 = f"{_SYSCTLS_29} net.ipv4.tcp_rmem net.ipv4.tcp_wmem"
_SYSCTLS_37 = f"{_SYSCTLS_32} net.ipv4.tcp_slow_start_after_idle net.ipv4.tcp_notsent_lowat"
_SELINUX = frozenset(("", "container_t", "container_init_t", "container_kvm_t"))
_SELINUX_31 = _SELINUX | {"container_engine_t"}
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def containers(spec: Obj) -> Iterator[Obj]:
    """Every container of a Pod, init ones first."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(kind) or ()


def _context(owner: Obj) -> Obj:
    found: Obj = owner.get("securityContext") or {}
    return found


def _plural(one: str, many: str, count: int) -> str:
    return one if count == 1 else many


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{n}"' for n in names)


def _named(names: list[str]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{_plural('container', 'containers', len(names))} {_quoted(names)}"


def _bad(spec: Obj, test: Callable[[Obj], bool]) -> list[str]:
    return [c["name"] for c in containers(spec) if test(c)]


def _windows(spec: Obj) -> bool:
    return bool((spec.get("os") or {}).get("name") == "windows")


def _not_on_windows(check: Function) -> Function:
    return lambda annotations, spec: None if _windows(spec) else check(annotations, spec)


def _not_in_user_namespaces(check: Function) -> Function:
    return lambda annotations, spec: None if spec.get("hostUsers") is False else check(annotations, spec)


def _escalation(_: Obj, spec: Obj) -> Found:
    bad = _bad(spec, lambda c: _context(c).get("allowPrivilegeEscalation") is not False)
    if not bad:
        return None
    return "allowPrivilegeEscalation != false", f"{_named(bad)} must set securityContext.allowPrivilegeEscalation=false"


def _setters(spec: Obj, bad: Callable[[Obj], bool]) -> list[str]:
    """`pod` and `container "a"`: whose security context is bad."""
    found = ["pod"] if bad(_context(spec)) else []
    names = _bad(spec, lambda c: bad(_context(c)))
    return [*found, _named(names)] if names else found


def _values(spec: Obj, take: Callable[[Obj], str | None]) -> list[str]:
    """The sorted bad values that take finds in the security contexts."""
    owners = [spec, *containers(spec)]
    return sorted({v for o in owners if (v := take(_context(o))) is not None})


def _apparmor(annotations: Obj, spec: Obj) -> Found:
    def bad(context: Obj) -> bool:
        profile = context.get("appArmorProfile")
        return profile is not None and profile.get("type") not in ("RuntimeDefault", "Localhost")

    setters = _setters(spec, bad)
    values = _values(spec, lambda c: c["appArmorProfile"].get("type", "") if bad(c) else None)
    marked = sorted(
        f"{k}={go_quote(v)}"
        for k, v in annotations.items()
        if k.startswith(_APPARMOR) and v and v != "runtime/default" and not v.startswith("localhost/")
    )
    if marked:
        setters.append(_plural("annotation", "annotations", len(marked)))
        values += marked
    if not setters:
        return None
    reason = _plural("forbidden AppArmor profile", "forbidden AppArmor profiles", len(values))
    return reason, f"{' and '.join(setters)} must not set AppArmor profile type to {_quoted(values)}"


def _added(container: Obj, allowed: Iterable[str]) -> list[str]:
    return [c for c in (_context(container).get("capabilities") or {}).get("add") or () if c not in allowed]


def _default_capabilities(_: Obj, spec: Obj) -> Found:
    bad = _bad(spec, lambda c: bool(_added(c, _CAPABILITIES)))
    if not bad:
        return None
    found = sorted({a for c in containers(spec) for a in _added(c, _CAPABILITIES)})
    return (
        "non-default capabilities",
        f"{_named(bad)} must not include {_quoted(found)} in securityContext.capabilities.add",
    )


def _few_capabilities(_: Obj, spec: Obj) -> Found:
    keeping = _bad(spec, lambda c: "ALL" not in ((_context(c).get("capabilities") or {}).get("drop") or ()))
    adding = _bad(spec, lambda c: bool(_added(c, ("NET_BIND_SERVICE",))))
    details = []
    if keeping:
        details.append(f'{_named(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        found = sorted({a for c in containers(spec) for a in _added(c, ("NET_BIND_SERVICE",))})
        details.append(f"{_named(adding)} must not include {_quoted(found)} in securityContext.capabilities.add")
    return ("unrestricted capabilities", "; ".join(details)) if details else None


def _host_namespaces(_: Obj, spec: Obj) -> Found:
    found = [f"{key}=true" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    return ("host namespaces", ", ".join(found)) if found else None


def _host_paths(_: Obj, spec: Obj) -> Found:
    found = [v["name"] for v in spec.get("volumes") or () if v.get("hostPath") is not None]
    return ("hostPath volumes", f"{_plural('volume', 'volumes', len(found))} {_quoted(found)}") if found else None


def _host_ports(_: Obj, spec: Obj) -> Found:
    def ports(container: Obj) -> list[str]:
        return [str(p["hostPort"]) for p in container.get("ports") or () if p.get("hostPort")]

    bad = _bad(spec, lambda c: bool(ports(c)))
    if not bad:
        return None
    found = sorted({p for c in containers(spec) for p in ports(c)})
    uses, what = _plural("uses", "use", len(bad)), _plural("hostPort", "hostPorts", len(found))
    return "hostPort", f"{_named(bad)} {uses} {what} {', '.join(found)}"


def _probe_hosts(_: Obj, spec: Obj) -> Found:
    def hosts(container: Obj) -> set[str]:
        lifecycle = container.get("lifecycle") or {}
        handlers = [container.get(k) for k in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += [lifecycle.get("postStart"), lifecycle.get("preStop")]
        found = {((h or {}).get(k) or {}).get("host", "") for h in handlers for k in ("httpGet", "tcpSocket")}
        return found - {""}

    bad = sorted(set(_bad(spec, lambda c: bool(hosts(c)))))
    if not bad:
        return None
    found = sorted({h for c in containers(spec) for h in hosts(c)})
    what = _plural("probe or lifecycle host", "probe or lifecycle hosts", len(found))
    return "probe or lifecycle host", f"{_named(bad)} {_plural('uses', 'use', len(bad))} {what} {_quoted(found)}"


def _privileged(_: Obj, spec: Obj) -> Found:
    bad = _bad(spec, lambda c: _context(c).get("privileged") is True)
    return ("privileged", f"{_named(bad)} must not set securityContext.privileged=true") if bad else None


def _proc_mount(_: Obj, spec: Obj) -> Found:
    def mount(container: Obj) -> str | None:
        found: str | None = _context(container).get("procMount")
        return None if found == "Default" else found

    bad = _bad(spec, lambda c: mount(c) is not None)
    if not bad:
        return None
    found = sorted({m for c in containers(spec) if (m := mount(c)) is not None})
    return "procMount", f"{_named(bad)} must not set securityContext.procMount to {_quoted(found)}"


def _volume_types(_: Obj, spec: Obj) -> Found:
    bad: dict[str, str] = {}
    for volume in spec.get("volumes") or ():
        kinds = [k for k, v in volume.items() if k != "name" and v is not None]
        if not _VOLUMES & set(kinds):
            bad[volume["name"]] = kinds[0] if kinds else "unknown"
    if not bad:
        return None
    types = sorted(set(bad.values()))
    names = f"{_plural('volume', 'volumes', len(bad))} {_quoted(bad)} {_plural('uses', 'use', len(bad))}"
    what = _plural("restricted volume type", "restricted volume types", len(types))
    return "restricted volume types", f"{names} {what} {_quoted(types)}"


def _non_root(_: Obj, spec: Obj) -> Found:
    reason = "runAsNonRoot != true"
    setters = _setters(spec, lambda context: context.get("runAsNonRoot") is False)
    if setters:
        return reason, f"{' and '.join(setters)} must not set securityContext.runAsNonRoot=false"
    if _context(spec).get("runAsNonRoot"):
        return None
    bad = _bad(spec, lambda c: _context(c).get("runAsNonRoot") is None)
    return (reason, f"pod or {_named(bad)} must set securityContext.runAsNonRoot=true") if bad else None


def _root_user(_: Obj, spec: Obj) -> Found:
    setters = _setters(spec, lambda context: context.get("runAsUser") == 0)
    return ("runAsUser=0", f"{' and '.join(setters)} must not set runAsUser=0") if setters else None


def _selinux(allowed: frozenset[str]) -> Function:
    def options(context: Obj) -> Obj:
        found: Obj = context.get("seLinuxOptions") or {}
        return found

    def bad(context: Obj) -> bool:
        found = options(context)
        return found.get("type", "") not in allowed or bool(found.get("user")) or bool(found.get("role"))

    def check(_: Obj, spec: Obj) -> Found:
        setters = _setters(spec, bad)
        if not setters:
            return None
        types = [t for t in _values(spec, lambda c: options(c).get("type", "")) if t not in allowed]
        data = [f"{_plural('type', 'types', len(types))} {_quoted(types)}"] if types else []
        for key in ("user", "role"):
            if any(_values(spec, lambda c, key=key: options(c).get(key))):  # type: ignore[misc]
                data.append(f"{key} may not be set")
        return (
            "seLinuxOptions",
            f"{' and '.join(setters)} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}",
        )

    return check


def _seccomp_annotations(annotations: Obj, spec: Obj) -> Found:
    def bad(value: str | None) -> bool:
        return (
            value is not None
            and value not in ("runtime/default", "docker/default")
            and not value.startswith("localhost/")
        )

    keys = [_SECCOMP_POD, *(_SECCOMP_CONTAINER + c["name"] for c in containers(spec))]
    found = sorted({f"{k}={go_quote(annotations[k])}" for k in keys if bad(annotations.get(k))})
    if not found:
        return None
    return "seccompProfile", f"forbidden {_plural('annotation', 'annotations', len(found))} {', '.join(found)}"


def _bad_seccomp(context: Obj) -> bool:
    profile = context.get("seccompProfile")
    return profile is not None and profile.get("type") not in ("Localhost", "RuntimeDefault")


def _seccomp(_: Obj, spec: Obj) -> Found:
    setters = _setters(spec, _bad_seccomp)
    if not setters:
        return None
    values = _values(spec, lambda c: c["seccompProfile"].get("type", "") if _bad_seccomp(c) else None)
    return (
        "seccompProfile",
        f"{' and '.join(setters)} must not set securityContext.seccompProfile.type to {_quoted(values)}",
    )


def _some_seccomp(annotations: Obj, spec: Obj) -> Found:
    found = _seccomp(annotations, spec)
    if found is not None or _context(spec).get("seccompProfile") is not None:
        return found
    bad = _bad(spec, lambda c: _context(c).get("seccompProfile") is None)
    if not bad:
        return None
    what = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return "seccompProfile", f"pod or {_named(bad)} {what}"


def _sysctls(allowed: str) -> Function:
    known = frozenset(allowed.split())

    def check(_: Obj, spec: Obj) -> Found:
        found = [s["name"] for s in _context(spec).get("sysctls") or () if s["name"] not in known]
        return ("forbidden sysctls", ", ".join(found)) if found else None

    return check


def _host_process(_: Obj, spec: Obj) -> Found:
    setters = _setters(spec, lambda context: bool((context.get("windowsOptions") or {}).get("hostProcess")))
    if not setters:
        return None
    return "hostProcess", f"{' and '.join(setters)} must not set securityContext.windowsOptions.hostProcess=true"


class Check(Struct, frozen=True):
    """One check. versions: (from minor, function), ascending; overrides: the baseline check that it replaces."""

    id: str
    level: str
    versions: tuple[tuple[int, Function], ...]
    overrides: str = ""

    def at(self, minor: int) -> Function | None:
        """The function that holds in that version of the standards."""
        return next((function for since, function in reversed(self.versions) if since <= minor), None)


# Each level in the order of the ids, baseline first.
CHECKS: tuple[Check, ...] = (
    Check("appArmorProfile", BASELINE, ((0, _apparmor),)),
    Check("capabilities_baseline", BASELINE, ((0, _default_capabilities),)),
    Check("hostNamespaces", BASELINE, ((0, _host_namespaces),)),
    Check("hostPathVolumes", BASELINE, ((0, _host_paths),)),
    Check("hostPorts", BASELINE, ((0, _host_ports),)),
    Check("hostProbesAndHostLifecycle", BASELINE, ((34, _probe_hosts),)),
    Check("privileged", BASELINE, ((0, _privileged),)),
    Check("procMount", BASELINE, ((0, _proc_mount), (35, _not_in_user_namespaces(_proc_mount)))),
    Check("seLinuxOptions", BASELINE, ((0, _selinux(_SELINUX)), (31, _selinux(_SELINUX_31)))),
    Check("seccompProfile_baseline", BASELINE, ((0, _seccomp_annotations), (19, _seccomp))),
    Check(
        "sysctls",
        BASELINE,
        (
            (0, _sysctls(_SYSCTLS)),
            (27, _sysctls(_SYSCTLS_27)),
            (29, _sysctls(_SYSCTLS_29)),
            (32, _sysctls(_SYSCTLS_32)),
            (37, _sysctls(_SYSCTLS_37)),
        ),
    ),
    Check("windowsHostProcess", BASELINE, ((0, _host_process),)),
    Check("allowPrivilegeEscalation", RESTRICTED, ((8, _escalation), (25, _not_on_windows(_escalation)))),
    Check(
        "capabilities_restricted",
        RESTRICTED,
        ((22, _few_capabilities), (25, _not_on_windows(_few_capabilities))),
        "capabilities_baseline",
    ),
    Check("procMount_restricted", RESTRICTED, ((35, _proc_mount),), "procMount"),
    Check("restrictedVolumes", RESTRICTED, ((0, _volume_types),), "hostPathVolumes"),
    Check("runAsNonRoot", RESTRICTED, ((0, _non_root), (35, _not_in_user_namespaces(_non_root)))),
    Check("runAsUser", RESTRICTED, ((23, _root_user), (35, _not_in_user_namespaces(_root_user)))),
    Check(
        "seccompProfile_restricted",
        RESTRICTED,
        ((19, _some_seccomp), (25, _not_on_windows(_some_seccomp))),
        "seccompProfile_baseline",
    ),
)


@lru_cache(maxsize=128)
def checks_of(level: str, minor: int) -> tuple[Function, ...]:
    """The functions of a level in a version, in order."""
    if level not in (BASELINE, RESTRICTED):
        return ()
    wanted = [c for c in CHECKS if level == RESTRICTED or c.level == BASELINE]
    replaced = {c.overrides for c in wanted if c.overrides and c.at(minor) is not None}
    return tuple(f for c in wanted if c.id not in replaced and (f := c.at(minor)) is not None)


def evaluate(level: str, minor: int, annotations: Obj, spec: Obj) -> list[tuple[str, str]]:
    """(reason, detail) of every violation."""
    return [found for check in checks_of(level, minor) if (found := check(annotations, spec)) is not None]
