"""The scheduler's plugins: one file each, under upstream's names, and PLUGINS, the default profile in its order."""

from __future__ import annotations

from collections.abc import Callable

from fakenodes.scheduler.framework import Handle, Plugin
from fakenodes.scheduler.plugins.default_binder import DefaultBinder
from fakenodes.scheduler.plugins.default_preemption import DefaultPreemption
from fakenodes.scheduler.plugins.dynamic_resources import DynamicResources
from fakenodes.scheduler.plugins.image_locality import ImageLocality
from fakenodes.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from fakenodes.scheduler.plugins.node_affinity import NodeAffinity
from fakenodes.scheduler.plugins.node_name import NodeName
from fakenodes.scheduler.plugins.node_ports import NodePorts
from fakenodes.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from fakenodes.scheduler.plugins.node_resources_fit import NodeResourcesFit
from fakenodes.scheduler.plugins.node_unschedulable import NodeUnschedulable
from fakenodes.scheduler.plugins.node_volume_limits import NodeVolumeLimits
from fakenodes.scheduler.plugins.pod_topology_spread import PodTopologySpread
from fakenodes.scheduler.plugins.priority_sort import PrioritySort
from fakenodes.scheduler.plugins.scheduling_gates import SchedulingGates
from fakenodes.scheduler.plugins.taint_toleration import TaintToleration
from fakenodes.scheduler.plugins.volume_binding import VolumeBinding
from fakenodes.scheduler.plugins.volume_restrictions import VolumeRestrictions
from fakenodes.scheduler.plugins.volume_zone import VolumeZone

# (factory, weight of its score): upstream's getDefaultPlugins.
PLUGINS: tuple[tuple[Callable[[Handle], Plugin], int], ...] = (
    (SchedulingGates, 0),
    (PrioritySort, 0),
    (NodeUnschedulable, 0),
    (NodeName, 0),
    (TaintToleration, 3),
    (NodeAffinity, 2),
    (NodePorts, 0),
    (NodeResourcesFit, 1),
    (VolumeRestrictions, 0),
    (NodeVolumeLimits, 0),
    (VolumeBinding, 0),
    (VolumeZone, 0),
    (PodTopologySpread, 2),
    (InterPodAffinity, 2),
    (DynamicResources, 0),
    (DefaultPreemption, 0),
    (NodeResourcesBalancedAllocation, 1),
    (ImageLocality, 1),
    (DefaultBinder, 0),
)
