from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fakenodes.client.base import Obj
from fakenodes.client.gvrs import DEPLOYMENTS, REPLICA_SETS
from fakenodes.controllers.deployments.rollback import ROLLBACK_TO, plan_rollback
from fakenodes.controllers.deployments.sets import HASH, REVISION
from tests.fakenodes.test_deployment import deployment
from tests.fakenodes.world import EVENTS, world


def asking(text: str, image: str = "nginx:3") -> Obj:
    found = deployment(image=image)
    return {**found, "metadata": {**found["metadata"], "annotations": {ROLLBACK_TO: text, "own": "now"}}}


def revised(number: int) -> Obj:
    """The ReplicaSet of a revision, whose image has its number."""
    template = deployment(image=f"nginx:{number}")["spec"]["template"]
    labels = {**template["metadata"]["labels"], HASH: str(number)}
    meta = {"name": f"web-{number}", "annotations": {REVISION: str(number), "own": "then"}}
    return {"metadata": meta, "spec": {"template": {**template, "metadata": {"labels": labels}}}}


NOT_FOUND = "DeploymentRollbackRevisionNotFound"


@pytest.mark.parametrize(
    ("text", "numbers", "image", "event"),
    [
        ("1", (1, 2, 3), "nginx:1", ("Normal", "DeploymentRollback", 'Rolled back deployment "web" to revision 1')),
        ("0", (1, 2, 3), "nginx:2", ("Normal", "DeploymentRollback", 'Rolled back deployment "web" to revision 2')),
        ("0", (3,), "nginx:3", ("Warning", NOT_FOUND, "Unable to find last revision.")),
        ("7", (1, 3), "nginx:3", ("Warning", NOT_FOUND, "Unable to find the revision to rollback to.")),
        (
            "3",
            (1, 3),
            "nginx:3",
            (
                "Warning",
                "DeploymentRollbackTemplateUnchanged",
                'The rollback revision contains the same template as current deployment "web"',
            ),
        ),
    ],
)
def test_rollback(text: str, numbers: tuple[int, ...], image: str, event: Any) -> None:
    found = plan_rollback(asking(text), [revised(n) for n in numbers])
    assert found is not None
    assert found.event == event
    template = found.deployment["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == image
    assert template["metadata"]["labels"] == {"app": "web"}
    own = "then" if event[0] == "Normal" else "now"
    assert found.deployment["metadata"]["annotations"] == {"own": own}


@pytest.mark.parametrize("text", ["", "x", "1.5"])
def test_what_does_not_ask_for_one(text: str) -> None:
    assert plan_rollback(asking(text), [revised(1), revised(3)]) is None


def test_a_rollback_is_carried_out() -> None:
    async def run() -> None:
        async with world("deployment") as w:
            for image in ("nginx:1", "nginx:2"):
                found = await w.find(DEPLOYMENTS, "web")
                if found is None:
                    await w.client.create(DEPLOYMENTS, deployment(image=image), "default")
                else:
                    body = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
                    await w.client.patch(DEPLOYMENTS, "web", body, "default")
                await w.settle()
            await w.client.patch(DEPLOYMENTS, "web", {"metadata": {"annotations": {ROLLBACK_TO: "0"}}}, "default")
            await w.settle()
            after = await w.find(DEPLOYMENTS, "web")
            assert after is not None
            assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1"
            assert after["metadata"]["annotations"] == {REVISION: "3"}
            sets = (await w.client.list(REPLICA_SETS, "default")).items
            assert sorted(x["metadata"]["annotations"][REVISION] for x in sets) == ["2", "3"]
            told = {e["message"] for e in (await w.client.list(EVENTS, "default")).items}
            assert 'Rolled back deployment "web" to revision 1' in told

    asyncio.run(run())
