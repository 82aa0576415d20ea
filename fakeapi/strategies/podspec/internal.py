"""Go's internal structs of a PodSpec as JSON, as error texts show them.

The internal types carry no JSON tags, so their fields come under Go's names, all of them, in the order of
pkg/apis/core/types.go (facts). Used for `Invalid value: {...}` and for the diff of forbidden Pod updates.
"""

from __future__ import annotations

import difflib
import functools
import json
from typing import Any

from fakeapi.gofmt import GoText

Obj = dict[str, Any]

# A field is Name or Name=Type or Name=Type@jsonName. Types: none: pointer, slice, map (absent: null); s string; i
# number; b boolean; *T pointer to struct; []T slice of structs; T struct by value.
_PV_SOURCES = """GCEPersistentDisk=*GCEDisk AWSElasticBlockStore=*AWSDisk@awsElasticBlockStore
    HostPath=*HostPath Glusterfs=*GlusterfsPV NFS=*NFS RBD=*RBDPV Quobyte=*Quobyte ISCSI=*ISCSIPV
    FlexVolume=*FlexVolumePV Cinder=*CinderPV CephFS=*CephFSPV@cephfs FC=*FC Flocker=*Flocker
    AzureFile=*AzureFilePV VsphereVolume=*VsphereVolume AzureDisk=*AzureDisk PhotonPersistentDisk=*PhotonDisk
    PortworxVolume=*Portworx ScaleIO=*ScaleIOPV Local=*LocalVolume StorageOS=*StorageOSPV@storageos CSI=*CSIPV"""
_STRUCTS = {
    "PodSpec": """Volumes=[]Volume InitContainers=[]Container Containers=[]Container
        EphemeralContainers=[]EphemeralContainer RestartPolicy=s TerminationGracePeriodSeconds ActiveDeadlineSeconds
        DNSPolicy=s NodeSelector ServiceAccountName=s AutomountServiceAccountToken NodeName=s
        SecurityContext=*PodSecurityContext ImagePullSecrets=[]LocalObjectReference Hostname=s Subdomain=s
        SetHostnameAsFQDN Affinity=*Affinity SchedulerName=s Tolerations=[]Toleration HostAliases=[]HostAlias
        PriorityClassName=s Priority PreemptionPolicy DNSConfig=*PodDNSConfig ReadinessGates=[]ReadinessGate
        RuntimeClassName Overhead EnableServiceLinks TopologySpreadConstraints=[]TopologySpreadConstraint OS=*PodOS
        SchedulingGates=[]SchedulingGate ResourceClaims=[]PodResourceClaim Resources=*ResourceRequirements
        HostnameOverride SchedulingGroup""",
    "Container": """Name=s Image=s Command Args WorkingDir=s Ports=[]ContainerPort EnvFrom=[]EnvFromSource Env=[]EnvVar
        Resources=ResourceRequirements ResizePolicy=[]ContainerResizePolicy RestartPolicy
        RestartPolicyRules=[]ContainerRestartRule VolumeMounts=[]VolumeMount VolumeDevices=[]VolumeDevice
        LivenessProbe=*Probe ReadinessProbe=*Probe StartupProbe=*Probe Lifecycle=*Lifecycle TerminationMessagePath=s
        TerminationMessagePolicy=s ImagePullPolicy=s SecurityContext=*SecurityContext Stdin=b StdinOnce=b TTY=b""",
    "EphemeralContainer": """Name=s Image=s Command Args WorkingDir=s Ports=[]ContainerPort EnvFrom=[]EnvFromSource
        Env=[]EnvVar Resources=ResourceRequirements ResizePolicy=[]ContainerResizePolicy RestartPolicy
        RestartPolicyRules=[]ContainerRestartRule VolumeMounts=[]VolumeMount VolumeDevices=[]VolumeDevice
        LivenessProbe=*Probe ReadinessProbe=*Probe StartupProbe=*Probe Lifecycle=*Lifecycle TerminationMessagePath=s
        TerminationMessagePolicy=s ImagePullPolicy=s SecurityContext=*SecurityContext Stdin=b StdinOnce=b TTY=b
        TargetContainerName=s""",
    "ContainerPort": "Name=s HostPort=i ContainerPort=i Protocol=s HostIP=s",
    "EnvFromSource": "Prefix=s ConfigMapRef=*EnvSource SecretRef=*EnvSource",
    "EnvSource": "Name=s Optional",
    "EnvVar": "Name=s Value=s ValueFrom=*EnvVarSource",
    "EnvVarSource": """FieldRef=*ObjectFieldSelector ResourceFieldRef=*ResourceFieldSelector
        ConfigMapKeyRef=*KeySelector SecretKeyRef=*KeySelector FileKeyRef=*FileKeySelector""",
    "ObjectFieldSelector": "APIVersion=s FieldPath=s",
    "ResourceFieldSelector": "ContainerName=s Resource=s Divisor=q",
    "KeySelector": "Name=s Key=s Optional",
    "FileKeySelector": "VolumeName=s Path=s Key=s Optional",
    "ResourceRequirements": "Limits Requests Claims=[]ResourceClaim",
    "ResourceClaim": "Name=s Request=s",
    "ContainerResizePolicy": "ResourceName=s RestartPolicy=s",
    "ContainerRestartRule": "Action=s ExitCodes=*RestartExitCodes",
    "RestartExitCodes": "Operator=s Values",
    "VolumeMount": """Name=s ReadOnly=b RecursiveReadOnly MountPath=s SubPath=s MountPropagation SubPathExpr=s""",
    "VolumeDevice": "Name=s DevicePath=s",
    "Probe": """Exec=*ExecAction HTTPGet=*HTTPGetAction TCPSocket=*TCPSocketAction GRPC=*GRPCAction
        InitialDelaySeconds=i TimeoutSeconds=i PeriodSeconds=i SuccessThreshold=i FailureThreshold=i
        TerminationGracePeriodSeconds""",
    "ExecAction": "Command",
    "HTTPGetAction": "Path=s Port=i Host=s Scheme=s HTTPHeaders=[]HTTPHeader",
    "HTTPHeader": "Name=s Value=s",
    "TCPSocketAction": "Port=i Host=s",
    "GRPCAction": "Port=i Service",
    "Lifecycle": "PostStart=*LifecycleHandler PreStop=*LifecycleHandler StopSignal",
    "LifecycleHandler": "Exec=*ExecAction HTTPGet=*HTTPGetAction TCPSocket=*TCPSocketAction Sleep=*SleepAction",
    "SleepAction": "Seconds=i",
    "SecurityContext": """Capabilities=*Capabilities Privileged SELinuxOptions=*SELinuxOptions
        WindowsOptions=*WindowsOptions RunAsUser RunAsGroup RunAsNonRoot ReadOnlyRootFilesystem AllowPrivilegeEscalation
        ProcMount SeccompProfile=*SeccompProfile AppArmorProfile=*SeccompProfile""",
    "Capabilities": "Add Drop",
    "SELinuxOptions": "User=s Role=s Type=s Level=s",
    "WindowsOptions": "GMSACredentialSpecName GMSACredentialSpec RunAsUserName HostProcess",
    "SeccompProfile": "Type=s LocalhostProfile",
    "PodSecurityContext": """HostNetwork=b HostPID=b HostIPC=b ShareProcessNamespace HostUsers
        SELinuxOptions=*SELinuxOptions WindowsOptions=*WindowsOptions RunAsUser RunAsGroup RunAsNonRoot
        SupplementalGroups SupplementalGroupsPolicy FSGroup FSGroupChangePolicy Sysctls=[]Sysctl
        SeccompProfile=*SeccompProfile AppArmorProfile=*SeccompProfile SELinuxChangePolicy""",
    "Sysctl": "Name=s Value=s",
    "LocalObjectReference": "Name=s",
    "Affinity": "NodeAffinity=*NodeAffinity PodAffinity=*PodAffinity PodAntiAffinity=*PodAffinity",
    "NodeAffinity": """RequiredDuringSchedulingIgnoredDuringExecution=*NodeSelector
        PreferredDuringSchedulingIgnoredDuringExecution=[]PreferredSchedulingTerm""",
    "NodeSelector": "NodeSelectorTerms=[]NodeSelectorTerm",
    "PreferredSchedulingTerm": "Weight=i Preference=NodeSelectorTerm",
    "NodeSelectorTerm": "MatchExpressions=[]NodeSelectorRequirement MatchFields=[]NodeSelectorRequirement",
    "NodeSelectorRequirement": "Key=s Operator=s Values",
    "PodAffinity": """RequiredDuringSchedulingIgnoredDuringExecution=[]PodAffinityTerm
        PreferredDuringSchedulingIgnoredDuringExecution=[]WeightedPodAffinityTerm""",
    "WeightedPodAffinityTerm": "Weight=i PodAffinityTerm=PodAffinityTerm",
    "PodAffinityTerm": "LabelSelector Namespaces TopologyKey=s NamespaceSelector MatchLabelKeys MismatchLabelKeys",
    "Toleration": "Key=s Operator=s Value=s Effect=s TolerationSeconds",
    "HostAlias": "IP=s Hostnames",
    "PodDNSConfig": "Nameservers Searches Options=[]PodDNSConfigOption",
    "PodDNSConfigOption": "Name=s Value",
    "ReadinessGate": "ConditionType=s",
    "TopologySpreadConstraint": """MaxSkew=i TopologyKey=s WhenUnsatisfiable=s LabelSelector MinDomains
        NodeAffinityPolicy NodeTaintsPolicy MatchLabelKeys""",
    "PodOS": "Name=s",
    "SchedulingGate": "Name=s",
    "PodResourceClaim": "Name=s ResourceClaimName ResourceClaimTemplateName",
    "Volume": """Name=s HostPath=*HostPath EmptyDir=*EmptyDir GCEPersistentDisk=*GCEDisk
        AWSElasticBlockStore=*AWSDisk@awsElasticBlockStore GitRepo=*GitRepo Secret=*SecretVolume NFS=*NFS ISCSI=*ISCSI
        Glusterfs=*Glusterfs PersistentVolumeClaim=*ClaimVolume RBD=*RBD Quobyte=*Quobyte FlexVolume=*FlexVolume
        Cinder=*Cinder CephFS=*CephFS@cephfs Flocker=*Flocker DownwardAPI=*DownwardVolume FC=*FC AzureFile=*AzureFile
        ConfigMap=*ConfigMapVolume VsphereVolume=*VsphereVolume AzureDisk=*AzureDisk PhotonPersistentDisk=*PhotonDisk
        Projected=*ProjectedVolume PortworxVolume=*Portworx ScaleIO=*ScaleIO StorageOS=*StorageOS@storageos CSI=*CSI
        Ephemeral=*EphemeralVolume Image=*ImageVolume""",
    "HostPath": "Path=s Type",
    "EmptyDir": "Medium=s SizeLimit",
    "GCEDisk": "PDName=s@pdName FSType=s@fsType Partition=i ReadOnly=b",
    "AWSDisk": "VolumeID=s FSType=s@fsType Partition=i ReadOnly=b",
    "GitRepo": "Repository=s Revision=s Directory=s",
    "SecretVolume": "SecretName=s Items=[]KeyToPath DefaultMode Optional",
    "ConfigMapVolume": "Name=s Items=[]KeyToPath DefaultMode Optional",
    "KeyToPath": "Key=s Path=s Mode",
    "NFS": "Server=s Path=s ReadOnly=b",
    "ISCSI": """TargetPortal=s IQN=s Lun=i ISCSIInterface=s FSType=s@fsType ReadOnly=b Portals
        DiscoveryCHAPAuth=b@chapAuthDiscovery SecretRef=*LocalObjectReference SessionCHAPAuth=b@chapAuthSession
        InitiatorName""",
    "Glusterfs": "EndpointsName=s@endpoints Path=s ReadOnly=b",
    "ClaimVolume": "ClaimName=s ReadOnly=b",
    "RBD": """CephMonitors@monitors RBDImage=s@image FSType=s@fsType RBDPool=s@pool RadosUser=s@user Keyring=s
        SecretRef=*LocalObjectReference ReadOnly=b""",
    "Quobyte": "Registry=s Volume=s ReadOnly=b User=s Group=s Tenant=s",
    "FlexVolume": "Driver=s FSType=s@fsType SecretRef=*LocalObjectReference ReadOnly=b Options",
    "Cinder": "VolumeID=s FSType=s@fsType ReadOnly=b SecretRef=*LocalObjectReference",
    "CephFS": "Monitors Path=s User=s SecretFile=s SecretRef=*LocalObjectReference ReadOnly=b",
    "Flocker": "DatasetName=s DatasetUUID=s",
    "DownwardVolume": "Items=[]DownwardFile DefaultMode",
    "DownwardFile": "Path=s FieldRef=*ObjectFieldSelector ResourceFieldRef=*ResourceFieldSelector Mode",
    "FC": "TargetWWNs Lun FSType=s@fsType ReadOnly=b WWIDs@wwids",
    "AzureFile": "SecretName=s ShareName=s ReadOnly=b",
    "VsphereVolume": "VolumePath=s FSType=s@fsType StoragePolicyName=s StoragePolicyID=s",
    "AzureDisk": "DiskName=s DataDiskURI=s@diskURI CachingMode FSType@fsType ReadOnly Kind",
    "PhotonDisk": "PdID=s FSType=s@fsType",
    "ProjectedVolume": "Sources=[]Projection DefaultMode",
    "Projection": """Secret=*ProjectedFiles ConfigMap=*ProjectedFiles DownwardAPI=*ProjectedDownward
        ServiceAccountToken=*ProjectedToken ClusterTrustBundle=*TrustBundle PodCertificate""",
    "ProjectedFiles": "Name=s Items=[]KeyToPath Optional",
    "ProjectedDownward": "Items=[]DownwardFile",
    "ProjectedToken": "Audience=s ExpirationSeconds=i Path=s",
    "TrustBundle": "Name SignerName LabelSelector Optional Path=s",
    "Portworx": "VolumeID=s FSType=s@fsType ReadOnly=b",
    "ScaleIO": """Gateway=s System=s SecretRef=*LocalObjectReference SSLEnabled=b@sslEnabled ProtectionDomain=s
        StoragePool=s StorageMode=s VolumeName=s FSType=s@fsType ReadOnly=b""",
    "StorageOS": "VolumeName=s VolumeNamespace=s FSType=s@fsType ReadOnly=b SecretRef=*LocalObjectReference",
    "CSI": "Driver=s ReadOnly FSType@fsType VolumeAttributes NodePublishSecretRef=*LocalObjectReference",
    "EphemeralVolume": "VolumeClaimTemplate",
    "ImageVolume": "Reference=s PullPolicy=s",
    "VolumeNodeAffinity": "Required=*NodeSelector",
    "PersistentVolumeSource": _PV_SOURCES,
    "PersistentVolumeSpec": f"""Capacity {_PV_SOURCES} AccessModes ClaimRef=*ObjectReference
        PersistentVolumeReclaimPolicy=s StorageClassName=s MountOptions VolumeMode NodeAffinity=*VolumeNodeAffinity
        VolumeAttributesClassName""",
    "SecretReference": "Name=s Namespace=s",
    "GlusterfsPV": "EndpointsName=s@endpoints Path=s ReadOnly=b EndpointsNamespace",
    "RBDPV": """CephMonitors@monitors RBDImage=s@image FSType=s@fsType RBDPool=s@pool RadosUser=s@user Keyring=s
        SecretRef=*SecretReference ReadOnly=b""",
    "ISCSIPV": """TargetPortal=s IQN=s Lun=i ISCSIInterface=s FSType=s@fsType ReadOnly=b Portals
        DiscoveryCHAPAuth=b@chapAuthDiscovery SecretRef=*SecretReference SessionCHAPAuth=b@chapAuthSession
        InitiatorName""",
    "FlexVolumePV": "Driver=s FSType=s@fsType SecretRef=*SecretReference ReadOnly=b Options",
    "CinderPV": "VolumeID=s FSType=s@fsType ReadOnly=b SecretRef=*SecretReference",
    "CephFSPV": "Monitors Path=s User=s SecretFile=s SecretRef=*SecretReference ReadOnly=b",
    "AzureFilePV": "SecretName=s ShareName=s ReadOnly=b SecretNamespace",
    "ScaleIOPV": """Gateway=s System=s SecretRef=*SecretReference SSLEnabled=b@sslEnabled ProtectionDomain=s
        StoragePool=s StorageMode=s VolumeName=s FSType=s@fsType ReadOnly=b""",
    "LocalVolume": "Path=s FSType@fsType",
    "StorageOSPV": "VolumeName=s VolumeNamespace=s FSType=s@fsType ReadOnly=b SecretRef=*ObjectReference",
    "EventSource": "Component=s Host=s",
    "ObjectReference": "Kind=s Namespace=s Name=s UID=s APIVersion=s ResourceVersion=s FieldPath=s",
    "CSIPV": """Driver=s VolumeHandle=s ReadOnly=b FSType=s@fsType VolumeAttributes
        ControllerPublishSecretRef=*SecretReference NodeStageSecretRef=*SecretReference
        NodePublishSecretRef=*SecretReference ControllerExpandSecretRef=*SecretReference
        NodeExpandSecretRef=*SecretReference""",
}
_JSON_NAMES = {
    "APIVersion": "apiVersion",
    "DNSConfig": "dnsConfig",
    "DNSPolicy": "dnsPolicy",
    "FSGroup": "fsGroup",
    "FSGroupChangePolicy": "fsGroupChangePolicy",
    "GCEPersistentDisk": "gcePersistentDisk",
    "GMSACredentialSpec": "gmsaCredentialSpec",
    "GMSACredentialSpecName": "gmsaCredentialSpecName",
    "HTTPGet": "httpGet",
    "HTTPHeaders": "httpHeaders",
    "ISCSIInterface": "iscsiInterface",
    "SELinuxChangePolicy": "seLinuxChangePolicy",
    "SELinuxOptions": "seLinuxOptions",
    "ScaleIO": "scaleIO",
    "TCPSocket": "tcpSocket",
}
_ZEROS: dict[str, Any] = {"s": "", "i": 0, "b": False, "q": "0"}
# Of the PodSpec on the wire, part of the security context inside.
_MOVED = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")


def _json_name(name: str) -> str:
    if name.isupper():
        return name.lower()
    return _JSON_NAMES.get(name) or name[0].lower() + name[1:]


@functools.cache
def _fields(struct: str) -> tuple[tuple[str, str, str], ...]:
    """(Go's name, type, JSON name) of every field."""
    found = []
    for field in _STRUCTS[struct].split():
        rest, _, wire = field.partition("@")
        name, _, kind = rest.partition("=")
        found.append((name, kind, wire or _json_name(name)))
    return tuple(found)


def to_go(struct: str, obj: Obj) -> Obj:
    """The internal struct as encoding/json sees it."""
    return {name: _value(kind, obj.get(wire)) for name, kind, wire in _fields(struct)}


def _value(kind: str, value: Any) -> Any:
    if kind in _ZEROS:
        return _ZEROS[kind] if value is None else value
    if kind.startswith("[]"):
        return [to_go(kind[2:], item) for item in value] if value else None
    if kind.startswith("*"):
        return None if value is None else to_go(kind[1:], value)
    if kind:
        return to_go(kind, value or {})
    return value


def go_struct(struct: str, obj: Obj) -> GoText:
    """A struct as a field error's bad value."""
    return GoText(json.dumps(to_go(struct, obj), separators=(",", ":"), ensure_ascii=False))


def go_pod_spec(spec: Obj) -> Obj:
    """A PodSpec, with the host's namespaces where the internal type has them."""
    context = dict(spec.get("securityContext") or {}) | {k: spec[k] for k in _MOVED if k in spec}
    return to_go("PodSpec", {**spec, "securityContext": context})


def go_template(template: Obj) -> GoText:
    """A PodTemplateSpec as a field error's bad value: its metadata is inlined, its spec is not."""
    value = {**(template.get("metadata") or {}), "Spec": go_pod_spec(template.get("spec") or {})}
    return GoText(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def go_diff(old: Obj, new: Obj) -> str:
    """The unified diff of two structs, three lines of context, as apimachinery's diff.Diff gives it."""
    before, after = (json.dumps(x, indent=1, ensure_ascii=False).splitlines(keepends=True) for x in (old, new))
    before[-1] += "\n"
    after[-1] += "\n"
    lines = list(difflib.unified_diff(before, after))[2:]
    return "".join(lines)
