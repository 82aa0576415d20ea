"""Workload kinds: what is filled in, what creation resets, what is refused of specs and updates."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import pytest

from fakeapi.strategies.base import Context, Strategy

Obj = dict[str, Any]
CTX = Context(now="2026-01-02T03:04:05Z")
LABELS = {"a": "b"}
ROLLING = {"maxUnavailable": "25%", "maxSurge": "25%"}
MISMATCH = "`selector` does not match template `labels`"


def strategy(kind: str) -> Strategy:
    """The rules of a kind, named in lower case."""
    found: Strategy = importlib.import_module(f"fakeapi.strategies.{kind}").STRATEGY
    return found


def template(**spec: Any) -> Obj:
    """A template of one container."""
    return {"metadata": {"labels": dict(LABELS)}, "spec": {"containers": [{"name": "c", "image": "i:1"}], **spec}}


def specs(kind: str) -> Obj:
    """The least spec that a kind accepts."""
    selector = {"matchLabels": dict(LABELS)}
    least: dict[str, Obj] = {
        "replicationcontroller": {"template": template()},
        "statefulset": {"selector": selector, "template": template(), "serviceName": "s"},
        "job": {"template": template(restartPolicy="Never")},
        "cronjob": {
            "schedule": "* * * * *",
            "jobTemplate": {"spec": {"template": template(restartPolicy="Never")}},
        },
    }
    return least.get(kind) or {"selector": selector, "template": template()}


def stored(kind: str, **spec: Any) -> Obj:
    """An object as the server would store it."""
    metadata: Obj = {"name": "x", "namespace": "d", "uid": "u", "generation": 1}
    obj: Obj = {"metadata": metadata, "spec": {**specs(kind), **copy.deepcopy(spec)}}
    rules = strategy(kind)
    rules.default(obj)
    rules.prepare_create(obj, CTX)
    return copy.deepcopy(obj)


KINDS = ("deployment", "replicaset", "statefulset", "daemonset", "replicationcontroller", "job", "cronjob")


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (
            "deployment",
            {},
            {
                "replicas": 1,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": ROLLING},
                "revisionHistoryLimit": 10,
                "progressDeadlineSeconds": 600,
            },
        ),
        ("deployment", {"strategy": {"type": "Recreate"}}, {"strategy": {"type": "Recreate"}}),
        (
            "deployment",
            {"strategy": {"rollingUpdate": {"maxSurge": 1}}},
            {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}}},
        ),
        ("replicaset", {}, {"replicas": 1}),
        ("replicaset", {"replicas": 0}, {"replicas": 0}),
        ("replicationcontroller", {}, {"replicas": 1, "selector": LABELS}),
        (
            "statefulset",
            {},
            {
                "replicas": 1,
                "podManagementPolicy": "OrderedReady",
                "revisionHistoryLimit": 10,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            },
        ),
        (
            "statefulset",
            {"updateStrategy": {"type": "RollingUpdate"}},
            {"updateStrategy": {"type": "RollingUpdate"}},
        ),
        (
            "statefulset",
            {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}}},  # its gate is off
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
        ),
        (
            "daemonset",
            {},
            {
                "revisionHistoryLimit": 10,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            },
        ),
        (
            "job",
            {},
            {
                "completions": 1,
                "parallelism": 1,
                "backoffLimit": 6,
                "completionMode": "NonIndexed",
                "suspend": False,
                "manualSelector": False,
                "podReplacementPolicy": "TerminatingOrFailed",
            },
        ),
        ("job", {"parallelism": 2}, {"completions": None, "parallelism": 2}),
        ("job", {"podFailurePolicy": {"rules": []}}, {"podReplacementPolicy": "Failed"}),
        (
            "cronjob",
            {},
            {
                "concurrencyPolicy": "Allow",
                "suspend": False,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 1,
            },
        ),
    ],
)
def test_defaults(kind: str, given: Obj, wanted: Obj) -> None:
    spec = stored(kind, **given)["spec"]
    assert {key: spec.get(key) for key in wanted} == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_the_least_spec_is_accepted(kind: str) -> None:
    obj = stored(kind)
    assert strategy(kind).validate(obj, CTX) == []
    assert strategy(kind).validate_update(copy.deepcopy(obj), obj, CTX) == []


@pytest.mark.parametrize("kind", KINDS)
def test_defaulting_twice_changes_nothing(kind: str) -> None:
    obj = stored(kind)
    again = copy.deepcopy(obj)
    strategy(kind).default(again)
    assert again == obj


def test_template_defaults() -> None:
    assert stored("deployment")["spec"]["template"]["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "i:1",
                "imagePullPolicy": "IfNotPresent",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
    }


def test_a_job_gets_a_selector_of_its_own() -> None:
    obj = stored("job")
    own = {
        "batch.kubernetes.io/controller-uid": "u",
        "batch.kubernetes.io/job-name": "x",
        "controller-uid": "u",
        "job-name": "x",
    }
    assert obj["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    assert obj["spec"]["template"]["metadata"]["labels"] == {**LABELS, **own}


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (
            "deployment",
            {"replicas": -1},
            ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            "deployment",
            {"selector": {"matchLabels": {"a": "c"}}},
            [f'spec.template.metadata.labels: Invalid value: {{"a":"b"}}: {MISMATCH}'],
        ),
        (
            "replicaset",
            {"template": template(restartPolicy="Never")},
            ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
        ),
        (
            "daemonset",
            {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}},
            ["spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"],
        ),
        (
            "job",
            {"template": template()},
            [
                'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
            ],
        ),
        (
            "cronjob",
            {"schedule": ""},
            ["spec.schedule: Required value"],
        ),
    ],
)
def test_refused(kind: str, given: Obj, wanted: list[str]) -> None:
    assert [str(e) for e in strategy(kind).validate(stored(kind, **given), CTX)] == wanted


@pytest.mark.parametrize(
    ("kind", "given", "fields"),
    [
        (
            "deployment",
            {"selector": {"matchLabels": {}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}},
            ["spec.selector"],
        ),
        ("deployment", {"replicas": 5}, []),
        ("statefulset", {"serviceName": "t"}, ["spec"]),
        ("statefulset", {"replicas": 5}, []),
        # These two run creation's checks, and then the update's, which contain them.
        ("replicaset", {"replicas": -1}, ["spec.replicas"] * 2),
        ("job", {"parallelism": -1}, ["spec.parallelism"] * 2),
        ("job", {"completions": 2}, ["spec.completions"]),
        ("job", {"parallelism": 5}, []),
        ("cronjob", {"schedule": "1 * * * *"}, []),
    ],
)
def test_updates(kind: str, given: Obj, fields: list[str]) -> None:
    old = stored(kind)
    new = copy.deepcopy(old)
    new["spec"] |= given
    assert [e.field for e in strategy(kind).validate_update(new, old, CTX)] == fields


def test_a_template_that_may_not_change_is_shown_as_the_internal_type() -> None:
    old = stored("job")
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    text = str(strategy("job").validate_update(new, old, CTX)[0])
    assert text.startswith('spec.template: Invalid value: {"labels":{"a":"b",')
    assert '},"Spec":{"Volumes":null,"InitContainers":null,"Containers":[{"Name":"c","Image":"other",' in text
    assert text.endswith(": field is immutable")


def test_changed_annotations_are_a_new_generation_of_a_deployment() -> None:
    old = stored("deployment")
    for given, generation in ((None, 1), ({"a": "b"}, 2)):
        new = copy.deepcopy(old)
        new["metadata"]["annotations"] = given
        strategy("deployment").prepare_update(new, old, CTX)
        assert new["metadata"]["generation"] == generation


@pytest.mark.parametrize(
    ("kind", "status", "wanted"),
    [
        ("replicationcontroller", {"replicas": 2}, {"status.replicas": "2"}),
        ("replicaset", {"replicas": 2}, {}),
        ("job", {"succeeded": 1}, {"status.successful": "1"}),
        ("job", {}, {"status.successful": "0"}),
    ],
)
def test_fields_to_select_by(kind: str, status: Obj, wanted: dict[str, str]) -> None:
    obj = stored(kind) | {"status": status}
    assert {name: get(obj) for name, get in strategy(kind).fields.items()} == wanted
