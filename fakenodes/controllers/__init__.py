"""The controllers, each a descriptor; runner.py runs them. Adding one is a file and a line here."""

from __future__ import annotations

from fakenodes.controllers.attachments import ATTACH_DETACH
from fakenodes.controllers.autoscaler import AUTOSCALER
from fakenodes.controllers.base import Controller
from fakenodes.controllers.certificates import APPROVING, CLEANER, SIGNING
from fakenodes.controllers.clusterroles import CLUSTER_ROLE_AGGREGATION
from fakenodes.controllers.cronjob import CRONJOB
from fakenodes.controllers.daemonset import DAEMONSET
from fakenodes.controllers.deployments.controller import DEPLOYMENT
from fakenodes.controllers.disruption import DISRUPTION
from fakenodes.controllers.endpoints import ENDPOINTS_CONTROLLER
from fakenodes.controllers.endpointslice import ENDPOINT_SLICE
from fakenodes.controllers.ephemeral import EPHEMERAL
from fakenodes.controllers.expand import EXPAND
from fakenodes.controllers.garbage import GARBAGE
from fakenodes.controllers.job import JOB
from fakenodes.controllers.loadbalancers import SERVICE_LB
from fakenodes.controllers.mirroring import MIRRORING
from fakenodes.controllers.namespace import NAMESPACE
from fakenodes.controllers.namespaced import ROOT_CA_PUBLISHER, SERVICEACCOUNT
from fakenodes.controllers.nodelifecycle import NODE_LIFECYCLE
from fakenodes.controllers.nodettl import NODE_TTL
from fakenodes.controllers.podgc import POD_GC
from fakenodes.controllers.protection import CLAIM_PROTECTION, CLASS_PROTECTION, VOLUME_PROTECTION
from fakenodes.controllers.provisioner import HOLLOW_PROVISIONER
from fakenodes.controllers.quota import RESOURCE_QUOTA
from fakenodes.controllers.replicaset import REPLICASET, REPLICATION
from fakenodes.controllers.servicecidrs import SERVICE_CIDR
from fakenodes.controllers.statefulset import STATEFULSET
from fakenodes.controllers.tainteviction import TAINT_EVICTION
from fakenodes.controllers.tokens import TOKENS
from fakenodes.controllers.ttl import TTL_AFTER_FINISHED
from fakenodes.controllers.volumebinder import BINDER

CONTROLLERS: tuple[Controller, ...] = (
    SERVICEACCOUNT,
    ROOT_CA_PUBLISHER,
    NAMESPACE,
    DEPLOYMENT,
    REPLICASET,
    REPLICATION,
    ENDPOINTS_CONTROLLER,
    ENDPOINT_SLICE,
    GARBAGE,
    STATEFULSET,
    DAEMONSET,
    JOB,
    CLAIM_PROTECTION,
    VOLUME_PROTECTION,
    CLASS_PROTECTION,
    TTL_AFTER_FINISHED,
    NODE_LIFECYCLE,
    TAINT_EVICTION,
    POD_GC,
    CRONJOB,
    DISRUPTION,
    RESOURCE_QUOTA,
    CLUSTER_ROLE_AGGREGATION,
    TOKENS,
    SIGNING,
    APPROVING,
    CLEANER,
    MIRRORING,
    BINDER,
    HOLLOW_PROVISIONER,
    EPHEMERAL,
    EXPAND,
    AUTOSCALER,
    SERVICE_CIDR,
    NODE_TTL,
    SERVICE_LB,
    ATTACH_DETACH,
)
