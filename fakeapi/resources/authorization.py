"""The reviews of the API group authorization.k8s.io: nothing is stored, a create is answered at once."""

from __future__ import annotations

from fakeapi.resources.base import Resource

GROUP = "authorization.k8s.io"
DEFINITION = "io.k8s.api.authorization"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="LocalSubjectAccessReview",
        plural="localsubjectaccessreviews",
        verbs=("create",),
        definition=DEFINITION,
        virtual=True,
    ),
    Resource(
        group=GROUP,
        kind="SelfSubjectAccessReview",
        plural="selfsubjectaccessreviews",
        namespaced=False,
        verbs=("create",),
        definition=DEFINITION,
        virtual=True,
    ),
    Resource(
        group=GROUP,
        kind="SelfSubjectRulesReview",
        plural="selfsubjectrulesreviews",
        namespaced=False,
        verbs=("create",),
        definition=DEFINITION,
        virtual=True,
    ),
    Resource(
        group=GROUP,
        kind="SubjectAccessReview",
        plural="subjectaccessreviews",
        namespaced=False,
        verbs=("create",),
        definition=DEFINITION,
        virtual=True,
    ),
)
