"""Images that cannot be had, and what is said of them."""

from __future__ import annotations

import pytest

from fakenodes.kubelet.images import invalid
from fakenodes.kubelet.runtime.script import Script
from tests.fakenodes.lives import T0, box, scripted

FORMAT = "invalid reference format"


@pytest.mark.parametrize(
    ("image", "wrong"),
    [
        ("nginx", ""),
        ("nginx:1.27-alpine", ""),
        ("registry.example.com:5000/a/b_c/d--e:v1", ""),
        ("[::1]:5000/a", ""),
        ("a@sha256:" + "0" * 64, ""),
        ("UPPER.example.com/app", ""),
        ("nginx:", FORMAT),
        ("a//b", FORMAT),
        ("${IMAGE}", FORMAT),
        ("Nginx", f"{FORMAT}: repository name (library/Nginx) must be lowercase"),
        ("team/App:1", f"{FORMAT}: repository name (team/App) must be lowercase"),
    ],
)
def test_names(image, wrong):
    assert invalid(image) == wrong


def test_a_name_that_is_none_is_told_of_again_and_again():
    life = scripted(Script(), box(image="Nginx"))
    text = (
        'Failed to apply default image tag "Nginx": couldn\'t parse image name "Nginx": invalid reference format: '
        "repository name (library/Nginx) must be lowercase"
    )
    for moment in (0, 10):
        found = life.at(moment)
        assert found["containerStatuses"][0]["state"] == {"waiting": {"reason": "InvalidImageName", "message": text}}
    assert life.told == [("InspectFailed", text), ("Failed", "Error: InvalidImageName")] * 2
    assert found["phase"] == "Pending"


def test_an_image_that_may_not_be_pulled_has_to_be_there():
    message = 'Container image "nginx:1" is not present with pull policy of Never'
    life = scripted(Script(), box(imagePullPolicy="Never"))
    waiting = {"reason": "ErrImageNeverPull", "message": message}
    assert life.at(0)["containerStatuses"][0]["state"] == {"waiting": waiting}
    assert life.told == [("ErrImageNeverPull", message), ("Failed", "Error: ErrImageNeverPull")]
    life.images.add("nginx:1")
    assert life.at(life.wake - T0)["phase"] == "Running"


@pytest.mark.parametrize("policy", ["Never", "IfNotPresent"])
def test_a_loaded_image_needs_no_pull(policy):
    life = scripted(Script(loaded=True), box(imagePullPolicy=policy))
    assert life.at(0)["phase"] == "Running"
    assert [reason for reason, _ in life.told] == ["Pulled", "Created", "Started"]
