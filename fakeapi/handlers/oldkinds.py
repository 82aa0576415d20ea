"""Kinds that upstream's scheme still knows in versions that no server serves any more, and kinds that groups share.

An object of such a version is decoded and converted, and only then refused for its version. Stands for the install
packages of pkg/apis.
"""

from __future__ import annotations

_RBAC = "ClusterRole ClusterRoleBinding Role RoleBinding"
_APPS = "ControllerRevision Deployment Scale StatefulSet"
_ADMISSION = "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding ValidatingAdmissionPolicy "
_ADMISSION += "ValidatingAdmissionPolicyBinding"
_STORAGE = "CSIStorageCapacity VolumeAttachment VolumeAttributesClass"
_FLOW = "FlowSchema PriorityLevelConfiguration"
_DEVICES = "DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice"

_KINDS = {
    ("admissionregistration.k8s.io", "v1alpha1"): _ADMISSION,
    ("admissionregistration.k8s.io", "v1beta1"): f"{_ADMISSION} MutatingWebhookConfiguration "
    "ValidatingWebhookConfiguration",
    ("apiextensions.k8s.io", "v1beta1"): "CustomResourceDefinition",
    ("apps", "v1beta1"): _APPS,
    ("apps", "v1beta2"): f"{_APPS} DaemonSet ReplicaSet",
    ("authentication.k8s.io", "v1beta1"): "TokenReview",
    ("authorization.k8s.io", "v1beta1"): "LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview "
    "SubjectAccessReview",
    ("autoscaling", "v2beta1"): "HorizontalPodAutoscaler",
    ("autoscaling", "v2beta2"): "HorizontalPodAutoscaler",
    ("batch", "v1beta1"): "CronJob",
    ("certificates.k8s.io", "v1beta1"): "CertificateSigningRequest",
    ("coordination.k8s.io", "v1beta1"): "Lease",
    ("discovery.k8s.io", "v1beta1"): "EndpointSlice",
    ("events.k8s.io", "v1beta1"): "Event",
    ("extensions", "v1beta1"): "DaemonSet Deployment Ingress NetworkPolicy ReplicaSet Scale",
    ("flowcontrol.apiserver.k8s.io", "v1beta1"): _FLOW,
    ("flowcontrol.apiserver.k8s.io", "v1beta2"): _FLOW,
    ("flowcontrol.apiserver.k8s.io", "v1beta3"): _FLOW,
    ("networking.k8s.io", "v1beta1"): "IPAddress Ingress IngressClass ServiceCIDR",
    ("node.k8s.io", "v1alpha1"): "RuntimeClass",
    ("node.k8s.io", "v1beta1"): "RuntimeClass",
    ("policy", "v1beta1"): "Eviction PodDisruptionBudget",
    ("rbac.authorization.k8s.io", "v1alpha1"): _RBAC,
    ("rbac.authorization.k8s.io", "v1beta1"): _RBAC,
    ("resource.k8s.io", "v1beta1"): _DEVICES,
    ("resource.k8s.io", "v1beta2"): _DEVICES,
    ("scheduling.k8s.io", "v1alpha1"): "PriorityClass",
    ("scheduling.k8s.io", "v1beta1"): "PriorityClass",
    ("storage.k8s.io", "v1alpha1"): _STORAGE,
    ("storage.k8s.io", "v1beta1"): f"{_STORAGE} CSIDriver CSINode StorageClass",
}
_KNOWN = {(*version, kind) for version, kinds in _KINDS.items() for kind in kinds.split()}

# The groups whose kinds of one name have one internal type.
_SHARED = {
    "DaemonSet": {"apps", "extensions"},
    "Deployment": {"apps", "extensions"},
    "Event": {"", "events.k8s.io"},
    "Ingress": {"extensions", "networking.k8s.io"},
    "NetworkPolicy": {"extensions", "networking.k8s.io"},
    "ReplicaSet": {"apps", "extensions"},
    "Scale": {"apps", "autoscaling", "extensions"},
}


def known(group: str, version: str, kind: str) -> bool:
    """Whether the scheme has this kind, or the kind that it is a list of, in a version that is not served."""
    return any((group, version, name) in _KNOWN for name in (kind, kind.removesuffix("List")))


def same_type(kind: str, *groups: str) -> bool:
    """Whether a kind of this name is converted from one of the groups to another."""
    return set(groups) <= _SHARED.get(kind, set())
