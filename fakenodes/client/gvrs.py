"""The resources that components speak to, by the names that a Kubernetes engineer would use."""

from __future__ import annotations

from fakenodes.client.base import GVR

PODS = GVR("", "v1", "pods")
NODES = GVR("", "v1", "nodes", namespaced=False)
NAMESPACES = GVR("", "v1", "namespaces", namespaced=False)
SERVICES = GVR("", "v1", "services")
ENDPOINTS = GVR("", "v1", "endpoints")
CONFIG_MAPS = GVR("", "v1", "configmaps")
SECRETS = GVR("", "v1", "secrets")
SERVICE_ACCOUNTS = GVR("", "v1", "serviceaccounts")
REPLICATION_CONTROLLERS = GVR("", "v1", "replicationcontrollers")
CLAIMS = GVR("", "v1", "persistentvolumeclaims")
VOLUMES = GVR("", "v1", "persistentvolumes", namespaced=False)
RESOURCE_QUOTAS = GVR("", "v1", "resourcequotas")
DEPLOYMENTS = GVR("apps", "v1", "deployments")
REPLICA_SETS = GVR("apps", "v1", "replicasets")
STATEFUL_SETS = GVR("apps", "v1", "statefulsets")
DAEMON_SETS = GVR("apps", "v1", "daemonsets")
CONTROLLER_REVISIONS = GVR("apps", "v1", "controllerrevisions")
JOBS = GVR("batch", "v1", "jobs")
CRON_JOBS = GVR("batch", "v1", "cronjobs")
ENDPOINT_SLICES = GVR("discovery.k8s.io", "v1", "endpointslices")
LEASES = GVR("coordination.k8s.io", "v1", "leases")
DISRUPTION_BUDGETS = GVR("policy", "v1", "poddisruptionbudgets")
AUTOSCALERS = GVR("autoscaling", "v2", "horizontalpodautoscalers")
STORAGE_CLASSES = GVR("storage.k8s.io", "v1", "storageclasses", namespaced=False)
VOLUME_ATTACHMENTS = GVR("storage.k8s.io", "v1", "volumeattachments", namespaced=False)
CLUSTER_ROLES = GVR("rbac.authorization.k8s.io", "v1", "clusterroles", namespaced=False)
SIGNING_REQUESTS = GVR("certificates.k8s.io", "v1", "certificatesigningrequests", namespaced=False)
