"""Which requests a webhook or a policy is about: rules, namespace and object selectors.

Stands for apiserver's pkg/admission/plugin/webhook/predicates. Pure but for the namespace's labels.
"""

from __future__ import annotations

from collections.abc import Iterable

from fakeapi import errors, selectors
from fakeapi.admission.base import CREATE, Attributes, Obj, Reader

# Changing these is never subject to webhooks or policies: otherwise a bad one could not be removed.
EXEMPT_GROUP = "admissionregistration.k8s.io"
EXEMPT = frozenset(
    (
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    )
)


def exempt(attributes: Attributes) -> bool:
    """Whether the request is about admission's own configuration."""
    return attributes.group == EXEMPT_GROUP and attributes.resource in EXEMPT


def _any(items: Iterable[str] | None, wanted: str) -> bool:
    return any(item in ("*", wanted) for item in items or ())


def rule_matches(rule: Obj, attributes: Attributes, version: str = "") -> bool:
    """Whether a RuleWithOperations takes the request in (as if it were in that version)."""
    return (
        _scope(rule.get("scope") or "*", attributes)
        and _any(rule.get("operations"), attributes.operation)
        and _any(rule.get("apiGroups"), attributes.group)
        and _any(rule.get("apiVersions"), version or attributes.version)
        and any(_resource(text, attributes) for text in rule.get("resources") or ())
    )


def _scope(scope: str, attributes: Attributes) -> bool:
    if scope == "*":
        return True
    cluster = not attributes.namespace or (attributes.resource == "namespaces" and not attributes.group)
    return cluster is (scope == "Cluster")


def _resource(text: str, attributes: Attributes) -> bool:
    resource, _, subresource = text.partition("/")
    return resource in ("*", attributes.resource) and subresource in ("*", attributes.subresource)


def objects_match(selector: Obj | None, attributes: Attributes) -> bool:
    """Whether the object before or after has the wanted labels."""
    if not selector:
        return True
    parsed = selectors.from_label_selector(selector)
    if parsed.empty:
        return True
    found = [o for o in (attributes.obj, attributes.old) if o is not None]
    return any(parsed.matches((o.get("metadata") or {}).get("labels") or {}) for o in found)


async def namespace_matches(selector: Obj | None, attributes: Attributes, reader: Reader) -> bool:
    """Whether the request's namespace has the wanted labels; requests without one always match. ApiError 404."""
    is_namespace = attributes.resource == "namespaces" and not attributes.group
    if not selector or (not attributes.namespace and not is_namespace):
        return True
    parsed = selectors.from_label_selector(selector)
    if parsed.empty:
        return True
    namespace: Obj | None
    if is_namespace and attributes.operation == CREATE:
        namespace = attributes.obj
    else:
        name = attributes.namespace or attributes.name
        namespace = await reader.get("", "namespaces", "", name)
        if namespace is None:
            raise errors.missing("", "namespaces", name)
    return parsed.matches(((namespace or {}).get("metadata") or {}).get("labels") or {})
