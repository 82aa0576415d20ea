"""RBAC's default policy: the roles and bindings that every API server makes at its start.

Stands for plugin/pkg/auth/authorizer/rbac/bootstrappolicy. A rule is one line, "verbs groups resources [names]" or
"verbs /urls", each a list joined by commas; "core" is the group "". As upstream's rule builder does, lists are sorted.
Left out: roles of features that are off by default (pod certificates, trust bundles, storage version migration), and
the reconciliation of roles that somebody has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

GROUP = "rbac.authorization.k8s.io"
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
CONTROLLER = "system:controller:"

R = "get,list,watch"
RU = "get,list,patch,update,watch"
W = "create,delete,deletecollection,patch,update"
RW = "create,delete,deletecollection,get,list,patch,update,watch"
LW = "list,watch"
EVENTS = "create,patch,update core,events.k8s.io events"
REVIEWS = ("create authentication.k8s.io tokenreviews", "create authorization.k8s.io subjectaccessreviews")
SIGNER = "kubernetes.io/"

CLUSTER_ROLES: dict[str, tuple[str, ...]] = {
    "cluster-admin": ("* * *", "* *"),
    "system:discovery": (
        "get /livez,/readyz,/healthz,/version,/version/,/openapi,/openapi/*,/api,/api/*,/apis,/apis/*",
    ),
    "system:monitoring": ("get /metrics,/metrics/slis,/livez,/readyz,/healthz,/livez/*,/readyz/*,/healthz/*",),
    "system:basic-user": (
        "create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews",
        "create authentication.k8s.io selfsubjectreviews",
    ),
    "system:public-info-viewer": ("get /livez,/readyz,/healthz,/version,/version/",),
    "admin": (),
    "edit": (),
    "view": (),
    "system:aggregate-to-admin": (
        "create authorization.k8s.io localsubjectaccessreviews",
        f"{RW} {GROUP} roles,rolebindings",
    ),
    "system:aggregate-to-edit": (
        f"{R} core pods/attach,pods/proxy,pods/exec,pods/portforward,secrets,services/proxy",
        "impersonate core serviceaccounts",
        f"{W} core pods,pods/attach,pods/proxy,pods/exec,pods/portforward",
        "create core pods/eviction",
        f"{W} core replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/proxy,"
        "persistentvolumeclaims,configmaps,secrets,events",
        "create core serviceaccounts/token",
        f"{W} apps statefulsets,statefulsets/scale,daemonsets,deployments,deployments/scale,deployments/rollback,"
        "replicasets,replicasets/scale",
        f"{W} autoscaling horizontalpodautoscalers",
        f"{W} batch jobs,cronjobs",
        f"{W} extensions daemonsets,deployments,deployments/scale,deployments/rollback,ingresses,replicasets,"
        "replicasets/scale,replicationcontrollers/scale,networkpolicies",
        f"{W} policy poddisruptionbudgets",
        f"{W} networking.k8s.io networkpolicies,ingresses",
        f"{RW} coordination.k8s.io leases",
        f"{W} resource.k8s.io resourceclaims,resourceclaimtemplates",
    ),
    "system:aggregate-to-view": (
        f"{R} core pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status,"
        "endpoints,persistentvolumeclaims,persistentvolumeclaims/status,configmaps",
        f"{R} core limitranges,resourcequotas,bindings,events,pods/status,resourcequotas/status,namespaces/status,"
        "replicationcontrollers/status,pods/log",
        f"{R} core namespaces",
        f"{R} discovery.k8s.io endpointslices",
        f"{R} apps controllerrevisions,statefulsets,statefulsets/status,statefulsets/scale,daemonsets,"
        "daemonsets/status,deployments,deployments/status,deployments/scale,replicasets,replicasets/status,replicasets/scale",
        f"{R} autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status",
        f"{R} batch jobs,cronjobs,cronjobs/status,jobs/status",
        f"{R} extensions daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,"
        "ingresses/status,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale,networkpolicies",
        f"{R} policy poddisruptionbudgets,poddisruptionbudgets/status",
        f"{R} networking.k8s.io networkpolicies,ingresses,ingresses/status",
        f"{R} resource.k8s.io resourceclaims,resourceclaims/status,resourceclaimtemplates",
    ),
    "system:heapster": (f"{R} core events,pods,nodes,namespaces", f"{R} extensions deployments"),
    "system:node": (
        "create authentication.k8s.io tokenreviews",
        "create authorization.k8s.io subjectaccessreviews,localsubjectaccessreviews",
        f"{R} core services",
        "create,get,list,watch core nodes",
        "patch,update core nodes/status",
        "patch,update core nodes",
        "create,patch,update core events",
        f"{R} core pods",
        "create,delete core pods",
        "patch,update core pods/status",
        "create core pods/eviction",
        f"{R} core secrets,configmaps",
        "get core persistentvolumeclaims,persistentvolumes",
        "get core endpoints",
        "create,get,list,watch certificates.k8s.io certificatesigningrequests",
        "create,delete,get,patch,update coordination.k8s.io leases",
        "get storage.k8s.io volumeattachments",
        "create core serviceaccounts/token",
        "get,patch,update core persistentvolumeclaims/status",
        f"{R} storage.k8s.io csidrivers",
        "create,delete,get,patch,update storage.k8s.io csinodes",
        f"{R} node.k8s.io runtimeclasses",
        "get resource.k8s.io resourceclaims",
        "deletecollection resource.k8s.io resourceslices",
    ),
    "system:node-problem-detector": ("get core nodes", "patch core nodes/status", EVENTS),
    "system:kubelet-api-admin": (
        f"{R} core nodes",
        "proxy core nodes",
        "* core nodes/proxy,nodes/metrics,nodes/stats,nodes/log,nodes/configz,nodes/healthz,nodes/pods",
    ),
    "system:node-bootstrapper": ("create,get,list,watch certificates.k8s.io certificatesigningrequests",),
    "system:auth-delegator": REVIEWS,
    "system:kube-aggregator": (f"{R} core services,endpoints",),
    "system:kube-controller-manager": (
        EVENTS,
        "create coordination.k8s.io leases",
        "get,update coordination.k8s.io leases kube-controller-manager",
        "create core secrets,serviceaccounts",
        "delete core secrets",
        "get core namespaces,secrets,serviceaccounts,configmaps",
        "update core secrets,serviceaccounts",
        *REVIEWS,
        f"{LW} * *",
        "create core serviceaccounts/token",
    ),
    "system:kube-dns": (f"{LW} core endpoints,services",),
    "system:persistent-volume-provisioner": (
        "create,delete,get,list,watch core persistentvolumes",
        "get,list,update,watch core persistentvolumeclaims",
        f"{R} storage.k8s.io storageclasses",
        "watch core events",
        EVENTS,
    ),
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": (
        "create certificates.k8s.io certificatesigningrequests/nodeclient",
    ),
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": (
        "create certificates.k8s.io certificatesigningrequests/selfnodeclient",
    ),
    "system:volume-scheduler": (
        f"{RU} core persistentvolumes",
        f"{R} storage.k8s.io storageclasses",
        f"{RU} core persistentvolumeclaims",
    ),
    "system:certificates.k8s.io:legacy-unknown-approver": (
        f"approve certificates.k8s.io signers {SIGNER}legacy-unknown",
    ),
    "system:certificates.k8s.io:kubelet-serving-approver": (
        f"approve certificates.k8s.io signers {SIGNER}kubelet-serving",
    ),
    "system:certificates.k8s.io:kube-apiserver-client-approver": (
        f"approve certificates.k8s.io signers {SIGNER}kube-apiserver-client",
    ),
    "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver": (
        f"approve certificates.k8s.io signers {SIGNER}kube-apiserver-client-kubelet",
    ),
    "system:service-account-issuer-discovery": (
        "get /.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/",
    ),
    "system:node-proxier": (
        f"{LW} core services,endpoints",
        f"{R} core nodes",
        EVENTS,
        f"{LW} discovery.k8s.io endpointslices",
        f"{LW} networking.k8s.io servicecidrs",
    ),
    "system:kube-scheduler": (
        EVENTS,
        "create coordination.k8s.io leases",
        "get,update coordination.k8s.io leases kube-scheduler",
        f"{R} core nodes",
        "delete,get,list,watch core pods",
        "create core pods/binding,bindings",
        "patch,update core pods/status",
        f"{R} core services,replicationcontrollers",
        f"{R} apps,extensions replicasets",
        f"{R} apps statefulsets",
        f"{R} policy poddisruptionbudgets",
        f"{R} core persistentvolumeclaims,persistentvolumes",
        *REVIEWS,
        f"{R} storage.k8s.io csinodes",
        f"{R} core namespaces",
        f"{R} storage.k8s.io csidrivers",
        f"{R} storage.k8s.io csistoragecapacities",
        f"{R} storage.k8s.io volumeattachments",
        f"{R} resource.k8s.io deviceclasses",
        f"{RU} resource.k8s.io resourceclaims",
        f"{RU} resource.k8s.io resourceclaims/status",
        f"{RU} core pods/finalizers",
        f"{R} resource.k8s.io resourceslices",
    ),
}

# Each is bound to the service account of that name in kube-system.
CONTROLLER_ROLES: dict[str, tuple[str, ...]] = {
    "attachdetach-controller": (
        f"{LW} core persistentvolumes,persistentvolumeclaims",
        f"{R} core nodes",
        "patch,update core nodes/status",
        f"{LW} core pods",
        EVENTS,
        "create,delete,get,list,watch storage.k8s.io volumeattachments",
        f"{R} storage.k8s.io csidrivers",
        f"{R} storage.k8s.io csinodes",
    ),
    "clusterrole-aggregation-controller": (f"escalate,get,list,patch,update,watch {GROUP} clusterroles",),
    "cronjob-controller": (
        "get,list,update,watch batch cronjobs",
        "create,delete,get,list,patch,update,watch batch jobs",
        "update batch cronjobs/status",
        "update batch cronjobs/finalizers",
        "delete,list,watch core pods",
        EVENTS,
    ),
    "daemon-set-controller": (
        f"{R} apps,extensions daemonsets",
        "update apps,extensions daemonsets/status",
        "update apps,extensions daemonsets/finalizers",
        f"{LW} core nodes",
        "create,delete,list,patch,watch core pods",
        "create core pods/binding",
        "create,delete,get,list,patch,update,watch apps controllerrevisions",
        EVENTS,
    ),
    "deployment-controller": (
        "get,list,update,watch apps,extensions deployments",
        "update apps,extensions deployments/status",
        "update apps,extensions deployments/finalizers",
        "create,delete,get,list,patch,update,watch apps,extensions replicasets",
        "get,list,update,watch core pods",
        EVENTS,
    ),
    "disruption-controller": (
        f"{R} apps,extensions deployments",
        f"{R} apps,extensions replicasets",
        f"{R} core replicationcontrollers",
        f"{R} policy poddisruptionbudgets",
        f"{R} apps statefulsets",
        "update policy poddisruptionbudgets/status",
        "patch,update core pods/status",
        "get * */scale",
        EVENTS,
    ),
    "endpoint-controller": (
        f"{R} core services,pods",
        "create,delete,get,list,update,watch core endpoints",
        "create core endpoints/restricted",
        EVENTS,
    ),
    "endpointslice-controller": (
        f"{R} core services,pods,nodes",
        "update core services/finalizers",
        "create,delete,get,list,update,watch discovery.k8s.io endpointslices",
        EVENTS,
    ),
    "endpointslicemirroring-controller": (
        f"{R} core services,endpoints",
        "update core services/finalizers",
        "update core endpoints/finalizers",
        "create,delete,get,list,update,watch discovery.k8s.io endpointslices",
        EVENTS,
    ),
    "expand-controller": (
        f"{RU} core persistentvolumes",
        "patch,update core persistentvolumeclaims/status",
        f"{R} core persistentvolumeclaims",
        EVENTS,
        "get core services",
    ),
    "ephemeral-volume-controller": (
        f"{R} core pods",
        "update core pods/finalizers",
        "create,get,list,watch core persistentvolumeclaims",
        EVENTS,
    ),
    "resource-claim-controller": (
        f"{R} core pods",
        "update core pods/finalizers",
        "create,delete,get,list,watch resource.k8s.io resourceclaims",
        "patch,update resource.k8s.io resourceclaims,resourceclaims/status",
        "patch,update core pods/status",
        EVENTS,
    ),
    "device-taint-eviction-controller": (
        "delete,get,list,watch core pods",
        "patch,update core pods/status",
        f"{R} resource.k8s.io resourceclaims",
        f"{R} resource.k8s.io resourceslices",
        f"{R} resource.k8s.io deviceclasses",
        f"{R} resource.k8s.io devicetaintrules",
        EVENTS,
    ),
    "generic-garbage-collector": ("delete,get,list,patch,update,watch * *", EVENTS),
    "horizontal-pod-autoscaler": (
        f"{R} autoscaling horizontalpodautoscalers",
        "update autoscaling horizontalpodautoscalers/status",
        "get,update * */scale",
        f"{LW} core pods",
        f"{LW} metrics.k8s.io pods",
        f"{R} custom.metrics.k8s.io *",
        f"{R} external.metrics.k8s.io *",
        EVENTS,
    ),
    "job-controller": (
        f"{RU} batch jobs",
        "update batch jobs/status",
        "update batch jobs/finalizers",
        "create,delete,list,patch,watch core pods",
        EVENTS,
    ),
    "namespace-controller": (
        "delete,get,list,watch core namespaces",
        "update core namespaces/finalize,namespaces/status",
        "delete,deletecollection,get,list,watch * *",
    ),
    "node-controller": (
        "delete,get,list,patch,update,watch core nodes",
        "patch,update core nodes/status",
        "patch,update core pods/status",
        "delete,get,list,watch core pods",
        EVENTS,
    ),
    "persistent-volume-binder": (
        "create,delete,get,list,update,watch core persistentvolumes",
        "update core persistentvolumes/status",
        "get,list,update,watch core persistentvolumeclaims",
        "update core persistentvolumeclaims/status",
        "create,delete,get,list,watch core pods",
        f"{R} storage.k8s.io storageclasses",
        f"{LW} core nodes",
        EVENTS,
        "watch core events",
        "get core services",
    ),
    "pod-garbage-collector": ("delete,list,watch core pods", f"{R} core nodes", "patch core pods/status"),
    "replicaset-controller": (
        "get,list,update,watch apps,extensions replicasets",
        "update apps,extensions replicasets/status",
        "update apps,extensions replicasets/finalizers",
        "create,delete,list,patch,watch core pods",
        EVENTS,
    ),
    "replication-controller": (
        "get,list,update,watch core replicationcontrollers",
        "update core replicationcontrollers/status",
        "update core replicationcontrollers/finalizers",
        "create,delete,list,patch,watch core pods",
        EVENTS,
    ),
    "resourcequota-controller": (f"{LW} * *", "update core resourcequotas/status", EVENTS),
    "route-controller": (f"{LW} core nodes", "patch core nodes/status", EVENTS),
    "service-account-controller": ("create core serviceaccounts", EVENTS),
    "service-controller": (
        f"{R} core services",
        "patch,update core services/status",
        f"{LW} core nodes",
        EVENTS,
    ),
    "service-cidrs-controller": (
        f"{RU} networking.k8s.io servicecidrs",
        "patch,update networking.k8s.io servicecidrs/finalizers",
        "patch,update networking.k8s.io servicecidrs/status",
        f"{R} networking.k8s.io ipaddresses",
        EVENTS,
    ),
    "statefulset-controller": (
        f"{LW} core pods",
        f"{R} apps statefulsets",
        "update apps statefulsets/status",
        "update apps statefulsets/finalizers",
        "create,delete,get,patch,update core pods",
        "create,delete,get,list,patch,update,watch apps controllerrevisions",
        "create,get,list,watch core persistentvolumeclaims",
        "delete,update core persistentvolumeclaims",
        "update core pods/finalizers",
        EVENTS,
    ),
    "ttl-controller": ("list,patch,update,watch core nodes", EVENTS),
    "certificate-controller": (
        "delete,get,list,watch certificates.k8s.io certificatesigningrequests",
        "update certificates.k8s.io certificatesigningrequests/status,certificatesigningrequests/approval",
        f"approve certificates.k8s.io signers {SIGNER}kube-apiserver-client-kubelet",
        f"sign certificates.k8s.io signers {SIGNER}legacy-unknown,{SIGNER}kube-apiserver-client,"
        f"{SIGNER}kube-apiserver-client-kubelet,{SIGNER}kubelet-serving",
        "create authorization.k8s.io subjectaccessreviews",
        EVENTS,
    ),
    "pvc-protection-controller": ("get,list,update,watch core persistentvolumeclaims", f"{R} core pods", EVENTS),
    "pv-protection-controller": ("get,list,update,watch core persistentvolumes", EVENTS),
    "volumeattributesclass-protection-controller": (
        f"{R} core persistentvolumeclaims",
        f"{R} core persistentvolumes",
        "get,list,update,watch storage.k8s.io volumeattributesclasses",
        EVENTS,
    ),
    "ttl-after-finished-controller": ("delete,get,list,watch batch jobs", EVENTS),
    "root-ca-cert-publisher": ("create,update core configmaps", EVENTS),
    "validatingadmissionpolicy-status-controller": (
        f"{R} admissionregistration.k8s.io validatingadmissionpolicies",
        "get,patch,update admissionregistration.k8s.io validatingadmissionpolicies/status",
        EVENTS,
    ),
    "legacy-service-account-token-cleaner": (
        "get core configmaps kube-apiserver-legacy-service-account-token-tracking",
        "delete,patch core secrets",
    ),
    "selinux-warning-controller": (
        EVENTS,
        f"{R} core persistentvolumes",
        f"{R} core persistentvolumeclaims",
        f"{R} core pods",
        f"{R} storage.k8s.io csidrivers",
    ),
}

# Cluster role binding of the same name as its role -> subjects, as "kind:name" or "sa:namespace/name".
CLUSTER_BINDINGS: dict[str, tuple[str, ...]] = {
    "cluster-admin": ("Group:system:masters",),
    "system:monitoring": ("Group:system:monitoring",),
    "system:discovery": ("Group:system:authenticated",),
    "system:basic-user": ("Group:system:authenticated",),
    "system:public-info-viewer": ("Group:system:authenticated", "Group:system:unauthenticated"),
    "system:node-proxier": ("User:system:kube-proxy",),
    "system:kube-controller-manager": ("User:system:kube-controller-manager",),
    "system:kube-dns": ("sa:kube-system/kube-dns",),
    "system:kube-scheduler": ("User:system:kube-scheduler",),
    "system:volume-scheduler": ("User:system:kube-scheduler",),
    "system:node": (),
    "system:service-account-issuer-discovery": ("Group:system:serviceaccounts",),
}

_LOCKS = ("watch core configmaps", "get,update core configmaps ")

# (namespace, role) -> rules.
ROLES: dict[tuple[str, str], tuple[str, ...]] = {
    ("kube-system", "extension-apiserver-authentication-reader"): (
        f"{R} core configmaps extension-apiserver-authentication",
    ),
    ("kube-system", CONTROLLER + "bootstrap-signer"): (f"{R} core secrets",),
    ("kube-system", CONTROLLER + "cloud-provider"): ("create,get,list,watch core configmaps",),
    ("kube-system", CONTROLLER + "token-cleaner"): ("delete,get,list,watch core secrets", EVENTS),
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        _LOCKS[0],
        _LOCKS[1] + "kube-controller-manager",
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (_LOCKS[0], _LOCKS[1] + "kube-scheduler"),
    ("kube-public", CONTROLLER + "bootstrap-signer"): (
        f"{R} core configmaps",
        "update core configmaps cluster-info",
        EVENTS,
    ),
}

# (namespace, binding) -> (role, subjects).
BINDINGS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("kube-system", "system::extension-apiserver-authentication-reader"): (
        "extension-apiserver-authentication-reader",
        ("User:system:kube-controller-manager", "User:system:kube-scheduler"),
    ),
    ("kube-system", "system::leader-locking-kube-controller-manager"): (
        "system::leader-locking-kube-controller-manager",
        ("User:system:kube-controller-manager", "sa:kube-system/kube-controller-manager"),
    ),
    ("kube-system", "system::leader-locking-kube-scheduler"): (
        "system::leader-locking-kube-scheduler",
        ("User:system:kube-scheduler", "sa:kube-system/kube-scheduler"),
    ),
    **{
        ("kube-system", CONTROLLER + name): (CONTROLLER + name, (f"sa:kube-system/{name}",))
        for name in ("bootstrap-signer", "cloud-provider", "token-cleaner")
    },
    ("kube-public", CONTROLLER + "bootstrap-signer"): (
        CONTROLLER + "bootstrap-signer",
        ("sa:kube-system/bootstrap-signer",),
    ),
}

# Aggregated cluster roles -> the label value that they gather; the role is itself labelled for the next one.
AGGREGATED = {"admin": "", "edit": "admin", "view": "edit"}
_LABELLED = {"system:aggregate-to-" + name: name for name in AGGREGATED} | {"edit": "admin", "view": "edit"}


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    """(plural, object without metadata but name, namespace, labels and annotations), roles before their bindings."""
    for name, rules in CLUSTER_ROLES.items():
        yield "clusterroles", _cluster_role(name, rules)
    for name, rules in CONTROLLER_ROLES.items():
        yield "clusterroles", _cluster_role(CONTROLLER + name, rules)
    for name, subjects in CLUSTER_BINDINGS.items():
        yield "clusterrolebindings", _binding("ClusterRoleBinding", name, "", "ClusterRole", name, subjects)
    for name in CONTROLLER_ROLES:
        role, subjects = CONTROLLER + name, (f"sa:kube-system/{name}",)
        yield "clusterrolebindings", _binding("ClusterRoleBinding", role, "", "ClusterRole", role, subjects)
    for (namespace, name), rules in ROLES.items():
        yield "roles", {**_base("Role", name, namespace), "rules": [rule(text) for text in rules]}
    for (namespace, name), (role, subjects) in BINDINGS.items():
        yield "rolebindings", _binding("RoleBinding", name, namespace, "Role", role, subjects)


def rule(text: str) -> dict[str, Any]:
    """A line of the tables above as a PolicyRule."""
    verbs, first, *rest = text.split(" ")
    if not rest:
        return {"verbs": sorted(verbs.split(",")), "nonResourceURLs": sorted(first.split(","))}
    groups = sorted("" if group == "core" else group for group in first.split(","))
    made = {"verbs": sorted(verbs.split(",")), "apiGroups": groups, "resources": sorted(rest[0].split(","))}
    if len(rest) > 1:
        made["resourceNames"] = sorted(rest[1].split(","))
    return made


def _base(kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    where = {"namespace": namespace} if namespace else {}
    metadata = {"name": name, **where, "labels": dict(LABELS), "annotations": dict(ANNOTATIONS)}
    return {"kind": kind, "apiVersion": GROUP + "/v1", "metadata": metadata}


def _cluster_role(name: str, rules: tuple[str, ...]) -> dict[str, Any]:
    """Aggregated roles start without rules: a controller fills them in."""
    made = _base("ClusterRole", name)
    if name in _LABELLED:
        made["metadata"]["labels"][AGGREGATE + _LABELLED[name]] = "true"
    if name not in AGGREGATED:
        return {**made, "rules": [rule(text) for text in rules]}
    selectors = [{"matchLabels": {AGGREGATE + name: "true"}}]
    return {**made, "rules": None, "aggregationRule": {"clusterRoleSelectors": selectors}}


def _binding(
    kind: str, name: str, namespace: str, role_kind: str, role: str, subjects: tuple[str, ...]
) -> dict[str, Any]:
    made = _base(kind, name, namespace)
    if subjects:
        made["subjects"] = [_subject(text) for text in subjects]
    made["roleRef"] = {"apiGroup": GROUP, "kind": role_kind, "name": role}
    return made


def _subject(text: str) -> dict[str, str]:
    kind, name = text.split(":", 1)
    if kind == "sa":
        namespace, account = name.split("/")
        return {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return {"kind": kind, "apiGroup": GROUP, "name": name}
