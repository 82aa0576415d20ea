"""RBAC's default policy as tables: who may do what on every cluster.

Stands for bootstrappolicy's policy.go and namespace_policy.go. A rule is one line, "verbs groups resources [names]" or
"verbs /urls", each a list joined by commas; "core" is the group "". Left out: roles of features that are off by default
(pod certificates, trust bundles, storage version migration).
"""

from __future__ import annotations

GROUP = "rbac.authorization.k8s.io"
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
