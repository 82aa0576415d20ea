"""Fields of pods that 1.36 knows and drops, since the features they belong to are off unless an operator turns them on.

Stands for DropDisabledPodFields of pkg/api/pod. Upstream keeps a field that the stored object has already; here none
ever gets that far.
"""

from __future__ import annotations

from typing import Any

Obj = dict[str, Any]

# GenericWorkload is alpha.
_SPEC = ("schedulingGroup",)
# ClusterTrustBundleProjection and PodCertificateRequest are beta, and need APIs that are off.
_PROJECTIONS = ("clusterTrustBundle", "podCertificate")


def drop_disabled(spec: Obj) -> None:
    """Drop them from a PodSpec, in place. A projected source that held nothing else stays, empty."""
    for field in _SPEC:
        spec.pop(field, None)
    for volume in spec.get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            for projection in _PROJECTIONS:
                source.pop(projection, None)
