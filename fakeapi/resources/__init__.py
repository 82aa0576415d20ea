"""The resource table: every built-in resource that kube-apiserver 1.25 to 1.37 serves by default, a file a group."""

from __future__ import annotations

from fakeapi.resources import (
    admissionregistration,
    apiextensions,
    apiregistration,
    apps,
    authentication,
    authorization,
    autoscaling,
    batch,
    certificates,
    coordination,
    core,
    discovery,
    events,
    flowcontrol,
    networking,
    node,
    policy,
    rbac,
    resource,
    scheduling,
    storage,
    storagemigration,
)
from fakeapi.resources.base import Resource

GROUPS = (
    admissionregistration,
    apiextensions,
    apiregistration,
    apps,
    authentication,
    authorization,
    autoscaling,
    batch,
    certificates,
    coordination,
    core,
    discovery,
    events,
    flowcontrol,
    networking,
    node,
    policy,
    rbac,
    resource,
    scheduling,
    storage,
    storagemigration,
)

ROWS: tuple[Resource, ...] = tuple(row for group in GROUPS for row in group.ROWS)
