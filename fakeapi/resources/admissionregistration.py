"""The resources of the API group admissionregistration.k8s.io, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, Served, status

GROUP = "admissionregistration.k8s.io"
DEFINITION = "io.k8s.api.admissionregistration"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="MutatingAdmissionPolicy",
        plural="mutatingadmissionpolicies",
        categories=("api-extensions",),
        namespaced=False,
        versions=(Served("v1", since=36),),
        definition=DEFINITION,
        strategy_name="mutatingadmissionpolicy",
    ),
    Resource(
        group=GROUP,
        kind="MutatingAdmissionPolicyBinding",
        plural="mutatingadmissionpolicybindings",
        categories=("api-extensions",),
        namespaced=False,
        versions=(Served("v1", since=36),),
        definition=DEFINITION,
        strategy_name="mutatingadmissionpolicybinding",
    ),
    Resource(
        group=GROUP,
        kind="MutatingWebhookConfiguration",
        plural="mutatingwebhookconfigurations",
        categories=("api-extensions",),
        namespaced=False,
        definition=DEFINITION,
        strategy_name="mutatingwebhookconfiguration",
    ),
    Resource(
        group=GROUP,
        kind="ValidatingAdmissionPolicy",
        plural="validatingadmissionpolicies",
        categories=("api-extensions",),
        namespaced=False,
        versions=(Served("v1", since=30),),
        subresources=(status("ValidatingAdmissionPolicy"),),
        definition=DEFINITION,
        strategy_name="validatingadmissionpolicy",
    ),
    Resource(
        group=GROUP,
        kind="ValidatingAdmissionPolicyBinding",
        plural="validatingadmissionpolicybindings",
        categories=("api-extensions",),
        namespaced=False,
        versions=(Served("v1", since=30),),
        definition=DEFINITION,
        strategy_name="validatingadmissionpolicybinding",
    ),
    Resource(
        group=GROUP,
        kind="ValidatingWebhookConfiguration",
        plural="validatingwebhookconfigurations",
        categories=("api-extensions",),
        namespaced=False,
        definition=DEFINITION,
        strategy_name="validatingwebhookconfiguration",
    ),
)
