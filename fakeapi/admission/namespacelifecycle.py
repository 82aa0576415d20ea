"""NamespaceLifecycle: nothing is created in a namespace that is missing or going, and some namespaces cannot be
deleted.

Stands for apiserver's pkg/admission/plugin/namespace/lifecycle.
"""

from __future__ import annotations

from fakeapi import errors
from fakeapi.admission.base import CREATE, DELETE, UPDATE, Attributes, Host, forbidden

NAME = "NamespaceLifecycle"
IMMORTAL = ("default", "kube-system", "kube-public")
_REVIEWS = frozenset(
    ("localsubjectaccessreviews", "subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews")
)


class NamespaceLifecycle:
    """See the module's docstring."""

    def __init__(self, host: Host) -> None:
        self._reader = host.reader

    def handles(self, attributes: Attributes) -> bool:
        """Creates in namespaces, and deletes of namespaces."""
        if attributes.operation == DELETE:
            return attributes.resource == "namespaces" and not attributes.group
        return attributes.operation in (CREATE, UPDATE) and attributes.namespaced and bool(attributes.namespace)

    async def admit(self, attributes: Attributes) -> None:
        """ApiError 404 for a missing namespace, 403 for one that is being deleted or may not be deleted."""
        if attributes.operation == DELETE:
            if attributes.name in IMMORTAL:
                text = "this namespace may not be deleted"
                raise forbidden(attributes, text)
            return
        if attributes.resource in _REVIEWS or (attributes.operation == UPDATE):
            return
        namespace = await self._reader.get("", "namespaces", "", attributes.namespace)
        if namespace is None:
            raise errors.missing("", "namespaces", attributes.namespace)
        if (namespace.get("status") or {}).get("phase") == "Terminating":
            text = f"unable to create new content in namespace {attributes.namespace} because it is being terminated"
            error = forbidden(attributes, text)
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {attributes.namespace} is being terminated",
                "field": "metadata.namespace",
            }
            error.status["details"]["causes"] = [cause]
            raise error

    async def validate(self, attributes: Attributes) -> None:
        """Nothing further."""
