"""Finished Jobs go ttlSecondsAfterFinished after their end.

Stands for kube-controller-manager's ttlafterfinished controller.
"""

from __future__ import annotations

from fakeapi.clock import parse_rfc3339
from fakenodes.client.base import ClientError, Obj
from fakenodes.client.gvrs import JOBS
from fakenodes.controllers.base import Controller, Watch, Work, service_account
from fakenodes.controllers.jobrules import condition_true


def expires_in(job: Obj, now: float) -> float | None:
    """Seconds until the Job is to go (0.0: now); None when it has no such time or is not finished."""
    ttl = job["spec"].get("ttlSecondsAfterFinished")
    finished = condition_true(job, "Complete") or condition_true(job, "Failed")
    if ttl is None or finished is None or job["metadata"].get("deletionTimestamp"):
        return None
    return max(parse_rfc3339(finished["lastTransitionTime"]) + float(ttl) - now, 0.0)


async def reconcile(work: Work) -> float | None:
    """Delete the Job with its pods, on the server's word that it is still so."""
    job = work.get(JOBS, work.key)
    left = expires_in(job, work.clock.now()) if job is not None else None
    if job is None or left is None or left > 0:
        return left
    meta = job["metadata"]
    try:
        fresh = await work.client.get(JOBS, meta["name"], meta["namespace"])
    except ClientError as error:
        if error.code == 404:
            return None
        raise
    if expires_in(fresh, work.clock.now()) == 0.0:
        await work.delete(JOBS, fresh, "Foreground")
    return None


TTL_AFTER_FINISHED = Controller(
    "ttl-after-finished-controller",
    "ttl-after-finished",
    service_account("ttl-after-finished-controller"),
    (Watch(JOBS),),
    reconcile,
)
