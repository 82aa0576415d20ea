"""What a container finds when somebody looks inside: its environment and its mounted files.

Stands for the kubelet's makeEnvironmentVariables and its volume plugins, as far as they can be seen from exec.
ConfigMaps, Secrets and tokens are asked for when somebody looks, as the pod's own kubelet. What
commands write is kept by connections.py; only emptyDirs are shared by a pod's containers.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from fakeapi.quantity import parse
from fakenodes.client.base import GVR, ClientError
from fakenodes.kubelet.podworker import REFERRED, PodWorker

Obj = Mapping[str, Any]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SERVICES = GVR("", "v1", "services")
_ACCOUNTS = GVR("", "v1", "serviceaccounts")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][\w.-]*)\)")


async def environment(worker: PodWorker, spec: Obj, *, tty: bool = False) -> dict[str, str]:
    """The environment of a container's processes."""
    pod = worker.obj
    assert pod is not None
    found = {"PATH": PATH, "HOSTNAME": pod["spec"].get("hostname") or pod["metadata"]["name"]}
    if tty:
        found["TERM"] = "xterm"
    found |= await _service(worker)
    for source in spec.get("envFrom") or ():
        for kind, key in (("configmap", "configMapRef"), ("secret", "secretRef")):
            if source.get(key):
                data = await _data(worker, kind, source[key]["name"])
                found |= {source.get("prefix", "") + k: v.decode("utf-8", "replace") for k, v in data.items()}
    for entry in spec.get("env") or ():
        value = await _value(worker, spec, entry["valueFrom"]) if entry.get("valueFrom") else entry.get("value", "")
        if value is not None:
            found[entry["name"]] = _REFERENCE.sub(lambda m: "$" if not m[1] else found.get(m[1], m[0]), value)
    return {**found, "HOME": found.get("HOME", "/root")}


async def _service(worker: PodWorker) -> dict[str, str]:
    try:
        service = await worker.kubelet.client.get(_SERVICES, "kubernetes", "default")
    except ClientError:
        return {}
    port = str(service["spec"]["ports"][0]["port"])
    return {"KUBERNETES_SERVICE_HOST": service["spec"].get("clusterIP", ""), "KUBERNETES_SERVICE_PORT": port}


async def _data(worker: PodWorker, kind: str, name: str) -> dict[str, bytes]:
    """The keys of a ConfigMap or Secret; none where it is not there."""
    assert worker.obj is not None
    try:
        obj = await worker.kubelet.client.get(REFERRED[kind], name, worker.obj["metadata"]["namespace"])
    except ClientError:
        return {}
    if kind == "secret":
        return {k: base64.b64decode(v) for k, v in (obj.get("data") or {}).items()}
    plain = {k: v.encode() for k, v in (obj.get("data") or {}).items()}
    return plain | {k: base64.b64decode(v) for k, v in (obj.get("binaryData") or {}).items()}


async def _value(worker: PodWorker, spec: Obj, source: Obj) -> str | None:
    for kind, key in (("configmap", "configMapKeyRef"), ("secret", "secretKeyRef")):
        if source.get(key):
            value = (await _data(worker, kind, source[key]["name"])).get(source[key]["key"])
            return None if value is None else value.decode("utf-8", "replace")
    assert worker.obj is not None
    if source.get("fieldRef"):
        return field(worker.obj, source["fieldRef"]["fieldPath"])
    if source.get("resourceFieldRef"):
        return _amount(spec, source["resourceFieldRef"])
    return ""


def field(pod: Obj, path: str) -> str:
    """The downward API's fields."""
    keyed = _KEYED.fullmatch(path)
    if keyed:
        return str((pod["metadata"].get(keyed[1]) or {}).get(keyed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        values = pod["metadata"].get(path.partition(".")[2]) or {}
        return "\n".join(f'{k}="{v}"' for k, v in sorted(values.items()))
    if path in ("status.podIPs", "status.hostIPs"):
        found = (pod.get("status") or {}).get(path.partition(".")[2]) or ()
        return ",".join(x["ip"] for x in found)
    value: Any = pod
    for part in path.split("."):
        value = (value or {}).get(part)
    return "" if value is None else str(value)


def _amount(spec: Obj, ref: Obj) -> str:
    """resourceFieldRef: the limit or request in units of the divisor, rounded up."""
    group, _, name = ref.get("resource", "").partition(".")
    found = ((spec.get("resources") or {}).get(group) or {}).get(name)
    if found is None:
        return "0"
    divisor = parse(str(ref.get("divisor") or "1")).nano or 10**9
    return str(-(-parse(str(found)).nano // divisor))


async def files(worker: PodWorker, spec: Obj) -> tuple[dict[str, bytes], set[str]]:
    """(path to content, directories) of what is mounted, and the few files that every container has."""
    pod = worker.obj
    assert pod is not None
    name = pod["spec"].get("hostname") or pod["metadata"]["name"]
    address = (pod.get("status") or {}).get("podIP", "")
    found = {
        "/etc/hostname": f"{name}\n".encode(),
        "/etc/hosts": f"127.0.0.1\tlocalhost\n{address}\t{name}\n".encode(),
        "/etc/resolv.conf": f"search {pod['metadata']['namespace']}.svc.cluster.local svc.cluster.local cluster.local\n"
        "nameserver 10.96.0.10\noptions ndots:5\n".encode(),
    }
    directories = set()
    volumes = {v["name"]: v for v in pod["spec"].get("volumes") or ()}
    for mount in spec.get("volumeMounts") or ():
        target, part = mount["mountPath"].rstrip("/"), mount.get("subPath", "").strip("/")
        content = await _volume(worker, spec, volumes.get(mount["name"], {}))
        if part in content:
            found[target] = content[part]
            continue
        directories.add(target)
        prefix = f"{part}/" if part else ""
        found |= {f"{target}/{k[len(prefix) :]}": v for k, v in content.items() if k.startswith(prefix)}
    return found, directories


async def _volume(worker: PodWorker, spec: Obj, volume: Obj) -> dict[str, bytes]:
    """The files of a volume, by their paths in it."""
    found: dict[str, bytes] = {}
    for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
        for kind, key, name in (("configmap", "configMap", "name"), ("secret", "secret", "secretName")):
            ref = source.get(key)
            if ref:
                data = await _data(worker, kind, ref.get(name) or ref.get("name", ""))
                found |= dict(_chosen(data, ref.get("items")))
        for item in (source.get("downwardAPI") or {}).get("items") or ():
            value = await _value(worker, spec, item)
            found[item["path"]] = (value or "").encode()
        if source.get("serviceAccountToken"):
            found[source["serviceAccountToken"]["path"]] = await _token(worker, source["serviceAccountToken"])
    return found


def _chosen(data: Mapping[str, bytes], items: Any) -> Iterator[tuple[str, bytes]]:
    if not items:
        yield from data.items()
    for item in items or ():
        if item["key"] in data:
            yield item["path"], data[item["key"]]


async def _token(worker: PodWorker, source: Obj) -> bytes:
    """A token for the pod's service account, bound to the pod."""
    pod = worker.obj
    assert pod is not None
    meta = pod["metadata"]
    spec: dict[str, Any] = {
        "expirationSeconds": source.get("expirationSeconds", 3600),
        "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]},
    }
    if source.get("audience"):
        spec["audiences"] = [source["audience"]]
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    account = pod["spec"].get("serviceAccountName") or "default"
    try:
        answer = await worker.kubelet.client.create(
            _ACCOUNTS, body, meta["namespace"], name=account, subresource="token"
        )
    except ClientError:
        return b""
    token: str = answer["status"]["token"]
    return token.encode()
