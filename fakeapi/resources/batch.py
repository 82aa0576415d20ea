"""The resources of the API group batch, as kube-apiserver serves them by default."""

from __future__ import annotations

from fakeapi.resources.base import Resource, status

GROUP = "batch"
DEFINITION = "io.k8s.api.batch"

ROWS: tuple[Resource, ...] = (
    Resource(
        group=GROUP,
        kind="CronJob",
        plural="cronjobs",
        short_names=("cj",),
        categories=("all",),
        subresources=(status("CronJob"),),
        definition=DEFINITION,
        strategy_name="cronjob",
    ),
    Resource(
        group=GROUP,
        kind="Job",
        plural="jobs",
        categories=("all",),
        subresources=(status("Job"),),
        definition=DEFINITION,
        strategy_name="job",
    ),
)
