"""A rollback that the annotation deprecated.deployment.rollback.to asks for: extensions/v1beta1's rollbackTo.

Stands for kube-controller-manager's deployment rollback.go. Pure: the Deployment as it should be written, and what to
tell about it. kubectl rollout undo does not need it: it patches the template itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from fakenodes.client.base import Obj
from fakenodes.controllers.deployments.sets import HASH, OWN, annotations_of, revision, same_template

ROLLBACK_TO = "deprecated.deployment.rollback.to"
NOT_FOUND = "DeploymentRollbackRevisionNotFound"
UNCHANGED = "DeploymentRollbackTemplateUnchanged"
DONE = "DeploymentRollback"


class Rollback(Struct, frozen=True):
    """What to write, and the event: its type, reason and message."""

    deployment: Obj
    event: tuple[str, str, str]


def plan_rollback(deployment: Obj, sets: Sequence[Obj]) -> Rollback | None:
    """None when none is asked for; what is no number does not ask."""
    text = annotations_of(deployment).get(ROLLBACK_TO, "")
    if not re.fullmatch(r"[+-]?\d+", text):
        return None
    number = int(text)
    if number == 0:
        # The one before the latest.
        number = ([0, 0, *sorted(map(revision, sets))])[-2]
        if number == 0:
            return _without(deployment, "Warning", NOT_FOUND, "Unable to find last revision.")
    found = next((x for x in sets if revision(x) == number), None)
    if found is None:
        return _without(deployment, "Warning", NOT_FOUND, "Unable to find the revision to rollback to.")
    name = deployment["metadata"]["name"]
    if same_template(deployment["spec"]["template"], found["spec"]["template"]):
        text = f'The rollback revision contains the same template as current deployment "{name}"'
        return _without(deployment, "Warning", UNCHANGED, text)
    text = f'Rolled back deployment "{name}" to revision {number}'
    return _without(_restored(deployment, found), "Normal", DONE, text)


def _restored(deployment: Obj, found: Obj) -> Obj:
    """The Deployment with the template and the annotations that the set was made with."""
    template = found["spec"]["template"]
    meta = template.get("metadata") or {}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != HASH}
    kept = {k: v for k, v in annotations_of(deployment).items() if k in OWN}
    taken = {k: v for k, v in annotations_of(found).items() if k not in OWN}
    return {
        **deployment,
        "metadata": {**deployment["metadata"], "annotations": {**kept, **taken}},
        "spec": {**deployment["spec"], "template": {**template, "metadata": {**meta, "labels": labels}}},
    }


def _without(deployment: Obj, *event: str) -> Rollback:
    """The Deployment without the request."""
    kept = {k: v for k, v in annotations_of(deployment).items() if k != ROLLBACK_TO}
    type, reason, message = event
    return Rollback(
        {**deployment, "metadata": {**deployment["metadata"], "annotations": kept}}, (type, reason, message)
    )
