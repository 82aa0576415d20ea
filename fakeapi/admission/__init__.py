"""Admission: the enabled plugins in upstream's order.

Stands for pkg/kubeapiserver/options/plugins.go (AllOrderedPlugins, DefaultOffAdmissionPlugins). A new plugin is one
file and one line in ORDER.
"""

from __future__ import annotations

from collections.abc import Callable

from fakeapi.admission import (
    certificateapproval,
    certificatesigning,
    certificatesubjectrestriction,
    clustertrustbundleattest,
    defaultingressclass,
    defaultstorageclass,
    defaulttolerationseconds,
    limitranger,
    mutatingadmissionpolicy,
    mutatingwebhook,
    namespacelifecycle,
    nodetaint,
    persistentvolumeclaimresize,
    podpriority,
    podresize,
    podsecurity,
    podtopologylabels,
    resourcequota,
    runtimeclass,
    serviceaccount,
    storageobjectinuse,
    validatingadmissionpolicy,
    validatingwebhook,
)
from fakeapi.admission.base import Chain, Host, Plugin

# (upstream's name, how it is made, on by default)
ORDER: tuple[tuple[str, Callable[[Host], Plugin], bool], ...] = (
    (namespacelifecycle.NAME, namespacelifecycle.NamespaceLifecycle, True),
    (limitranger.NAME, limitranger.LimitRanger, True),
    (serviceaccount.NAME, serviceaccount.ServiceAccount, True),
    (nodetaint.NAME, nodetaint.TaintNodesByCondition, True),
    (podsecurity.NAME, podsecurity.PodSecurity, True),
    (podpriority.NAME, podpriority.Priority, True),
    (defaulttolerationseconds.NAME, defaulttolerationseconds.DefaultTolerationSeconds, True),
    (defaultstorageclass.NAME, defaultstorageclass.DefaultStorageClass, True),
    (storageobjectinuse.NAME, storageobjectinuse.StorageObjectInUseProtection, True),
    (persistentvolumeclaimresize.NAME, persistentvolumeclaimresize.PersistentVolumeClaimResize, True),
    (runtimeclass.NAME, runtimeclass.RuntimeClass, True),
    (certificateapproval.NAME, certificateapproval.CertificateApproval, True),
    (certificatesigning.NAME, certificatesigning.CertificateSigning, True),
    (clustertrustbundleattest.NAME, clustertrustbundleattest.ClusterTrustBundleAttest, True),
    (certificatesubjectrestriction.NAME, certificatesubjectrestriction.CertificateSubjectRestriction, True),
    (defaultingressclass.NAME, defaultingressclass.DefaultIngressClass, True),
    (podresize.NAME, podresize.PodResize, True),
    (podtopologylabels.NAME, podtopologylabels.PodTopologyLabels, True),
    # Webhooks, policies and quotas come last: they see what all others made of the object.
    (mutatingadmissionpolicy.NAME, mutatingadmissionpolicy.MutatingAdmissionPolicy, True),
    (mutatingwebhook.NAME, mutatingwebhook.MutatingAdmissionWebhook, True),
    (validatingadmissionpolicy.NAME, validatingadmissionpolicy.ValidatingAdmissionPolicy, True),
    (validatingwebhook.NAME, validatingwebhook.ValidatingAdmissionWebhook, True),
    (resourcequota.NAME, resourcequota.ResourceQuota, True),
)


def names() -> list[str]:
    """Every plugin there is, in order."""
    return [name for name, _, _ in ORDER]


def build(host: Host) -> Chain:
    """The chain that the options ask for."""
    config = host.config
    wanted = [
        make(host)
        for name, make, on in ORDER
        if (on or name in config.enable_admission) and name not in config.disable_admission
    ]
    return Chain(wanted)
