"""The resources of the core group (/api/v1), as kube-apiserver serves them by default.

Bindings and component statuses are stored nowhere; handlers answer them.
"""

from __future__ import annotations

from fakeapi.resources.base import Resource, Subresource, proxy, scale, status

GROUP = ""
DEFINITION = "io.k8s.api.core"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="Binding",
        plural="bindings",
        verbs=("create",),
        definition=DEFINITION,
        virtual=True,
    ),
    Resource(
        group=GROUP,
        kind="ComponentStatus",
        plural="componentstatuses",
        short_names=("cs",),
        namespaced=False,
        verbs=("get", "list"),
        definition=DEFINITION,
        virtual=True,
    ),
    Resource(
        group=GROUP,
        kind="ConfigMap",
        plural="configmaps",
        short_names=("cm",),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="Endpoints",
        plural="endpoints",
        short_names=("ep",),
        definition=DEFINITION,
        storage_key="services/endpoints",
    ),
    Resource(
        group=GROUP,
        kind="Event",
        plural="events",
        short_names=("ev",),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="LimitRange",
        plural="limitranges",
        short_names=("limits",),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="Namespace",
        plural="namespaces",
        short_names=("ns",),
        namespaced=False,
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        subresources=(Subresource(name="finalize", verbs=("update",), kind="Namespace"), status("Namespace")),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="Node",
        plural="nodes",
        short_names=("no",),
        namespaced=False,
        subresources=(proxy("NodeProxyOptions"), status("Node")),
        definition=DEFINITION,
        storage_key="minions",
    ),
    Resource(
        group=GROUP,
        kind="PersistentVolumeClaim",
        plural="persistentvolumeclaims",
        short_names=("pvc",),
        subresources=(status("PersistentVolumeClaim"),),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="PersistentVolume",
        plural="persistentvolumes",
        short_names=("pv",),
        namespaced=False,
        subresources=(status("PersistentVolume"),),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="Pod",
        plural="pods",
        short_names=("po",),
        categories=("all",),
        subresources=(
            Subresource(name="attach", verbs=("create", "get"), kind="PodAttachOptions"),
            Subresource(name="binding", verbs=("create",), kind="Binding"),
            Subresource(name="ephemeralcontainers", verbs=("get", "patch", "update"), kind="Pod"),
            Subresource(name="eviction", verbs=("create",), kind="Eviction", group="policy", version="v1"),
            Subresource(name="exec", verbs=("create", "get"), kind="PodExecOptions"),
            Subresource(name="log", verbs=("get",), kind="Pod"),
            Subresource(name="portforward", verbs=("create", "get"), kind="PodPortForwardOptions"),
            proxy("PodProxyOptions"),
            Subresource(name="resize", verbs=("get", "patch", "update"), kind="Pod", since=33),
            status("Pod"),
        ),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="PodTemplate",
        plural="podtemplates",
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="ReplicationController",
        plural="replicationcontrollers",
        short_names=("rc",),
        categories=("all",),
        subresources=(scale(), status("ReplicationController")),
        definition=DEFINITION,
        storage_key="controllers",
    ),
    Resource(
        group=GROUP,
        kind="ResourceQuota",
        plural="resourcequotas",
        short_names=("quota",),
        subresources=(status("ResourceQuota"),),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="Secret",
        plural="secrets",
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="ServiceAccount",
        plural="serviceaccounts",
        short_names=("sa",),
        subresources=(
            Subresource(
                name="token", verbs=("create",), kind="TokenRequest", group="authentication.k8s.io", version="v1"
            ),
        ),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="Service",
        plural="services",
        short_names=("svc",),
        categories=("all",),
        subresources=(proxy("ServiceProxyOptions"), status("Service")),
        definition=DEFINITION,
        storage_key="services/specs",
    ),
)
