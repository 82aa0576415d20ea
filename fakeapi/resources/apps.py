"""The resources of the API group apps, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, scale, status

GROUP = "apps"
DEFINITION = "io.k8s.api.apps"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="ControllerRevision",
        plural="controllerrevisions",
        definition=DEFINITION,
        strategy_name="controllerrevision",
    ),
    Resource(
        group=GROUP,
        kind="DaemonSet",
        plural="daemonsets",
        short_names=("ds",),
        categories=("all",),
        subresources=(status("DaemonSet"),),
        definition=DEFINITION,
        strategy_name="daemonset",
    ),
    Resource(
        group=GROUP,
        kind="Deployment",
        plural="deployments",
        short_names=("deploy",),
        categories=("all",),
        subresources=(scale(), status("Deployment")),
        definition=DEFINITION,
        strategy_name="deployment",
    ),
    Resource(
        group=GROUP,
        kind="ReplicaSet",
        plural="replicasets",
        short_names=("rs",),
        categories=("all",),
        subresources=(scale(), status("ReplicaSet")),
        definition=DEFINITION,
        strategy_name="replicaset",
    ),
    Resource(
        group=GROUP,
        kind="StatefulSet",
        plural="statefulsets",
        short_names=("sts",),
        categories=("all",),
        subresources=(scale(), status("StatefulSet")),
        definition=DEFINITION,
        strategy_name="statefulset",
    ),
)
