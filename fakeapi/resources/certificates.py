"""The resources of the API group certificates.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, Served, Subresource, status

GROUP = "certificates.k8s.io"
DEFINITION = "io.k8s.api.certificates"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="CertificateSigningRequest",
        plural="certificatesigningrequests",
        short_names=("csr",),
        namespaced=False,
        subresources=(
            Subresource(name="approval", verbs=("get", "patch", "update"), kind="CertificateSigningRequest"),
            status("CertificateSigningRequest"),
        ),
        definition=DEFINITION,
        strategy_name="certificatesigningrequest",
    ),
    Resource(
        group=GROUP,
        kind="ClusterTrustBundle",
        plural="clustertrustbundles",
        namespaced=False,
        versions=(Served("v1", since=37),),
        definition=DEFINITION,
    ),
    Resource(
        group=GROUP,
        kind="PodCertificateRequest",
        plural="podcertificaterequests",
        versions=(Served("v1", since=37),),
        subresources=(status("PodCertificateRequest"),),
        definition=DEFINITION,
    ),
)
