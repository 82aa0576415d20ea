"""The reviews of the API group authentication.k8s.io: nothing is stored, a create is answered at once."""

from __future__ import annotations

from fakeapi.resources.base import Resource, Served

GROUP = "authentication.k8s.io"
DEFINITION = "io.k8s.api.authentication"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="SelfSubjectReview",
        plural="selfsubjectreviews",
        namespaced=False,
        versions=(Served("v1", since=28),),
        verbs=("create",),
        definition=DEFINITION,
        virtual=True,
    ),
    Resource(
        group=GROUP,
        kind="TokenReview",
        plural="tokenreviews",
        namespaced=False,
        verbs=("create",),
        definition=DEFINITION,
        virtual=True,
    ),
)
