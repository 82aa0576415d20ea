"""Which kernel parameters a pod may set on its node.

Stands for pkg/kubelet/sysctl with no --allowed-unsafe-sysctls: only those that are safe, and only in a namespace of the
pod's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fakeapi.gofmt import go_quote

REASON = "SysctlForbidden"
# Parameter to the namespace that it is of, and the field of a pod's spec that takes the host's instead.
_IPC, _NET = ("IPC", "hostIPC"), ("Net", "hostNetwork")
SAFE = {
    "kernel.shm_rmid_forced": _IPC,
    "net.ipv4.ip_local_port_range": _NET,
    "net.ipv4.ip_local_reserved_ports": _NET,
    "net.ipv4.ip_unprivileged_port_start": _NET,
    "net.ipv4.ping_group_range": _NET,
    "net.ipv4.tcp_fin_timeout": _NET,
    "net.ipv4.tcp_keepalive_intvl": _NET,
    "net.ipv4.tcp_keepalive_probes": _NET,
    "net.ipv4.tcp_keepalive_time": _NET,
    "net.ipv4.tcp_rmem": _NET,
    "net.ipv4.tcp_syncookies": _NET,
    "net.ipv4.tcp_wmem": _NET,
}


def forbidden(pod: Mapping[str, Any]) -> str:
    """What is wrong with the first parameter that the pod may not set, "" if it may set all."""
    spec = pod["spec"]
    for sysctl in (spec.get("securityContext") or {}).get("sysctls") or ():
        name = sysctl["name"].replace("/", ".")
        if name not in SAFE:
            return f"forbidden sysctl: {go_quote(sysctl['name'])} not allowlisted"
        namespace, shared = SAFE[name]
        if spec.get(shared):
            return f"forbidden sysctl: {go_quote(sysctl['name'])} not allowed with host {namespace} enabled"
    return ""
