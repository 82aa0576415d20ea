"""How a container comes by its image: found there, pulled, refused, tried again after a back-off.

Stands for pkg/kubelet/images (image_manager.go). Pulls of one pod come one after the other; there is no limit over the
pods of a node, and no pull secret is looked at.
"""

from __future__ import annotations

import re

from fakenodes.kubelet.backoff import backoff, go_duration
from fakenodes.kubelet.podstate import IMAGE_CHANGED, Container, Pod, World
from fakenodes.kubelet.runtime.imagenames import full_name, image_size

RETRY_SECONDS = 1.0  # between an image error and the back-off that follows it
SYNC_SECONDS = 10.0  # between looks at what no back-off is counted for
_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::\w[\w.-]{{0,127}})?(?:@[A-Za-z][\w.+-]*:[0-9a-fA-F]{{32,}})?",
    re.ASCII,
)


def invalid(image: str) -> str:
    """Why the text names no image (distribution's reference.ParseNormalizedNamed), "" when it does."""
    if _REFERENCE.fullmatch(image):
        return ""
    name = full_name(image).split("@")[0].removeprefix("docker.io/")
    path = name.rpartition(":")[0] if name.rfind(":") > name.rfind("/") else name
    if path != path.lower() and _REFERENCE.fullmatch(path.lower()):
        return f"invalid reference format: repository name ({path}) must be lowercase"
    return "invalid reference format"


def pull(pod: Pod, container: Container, world: World, now: float) -> None:
    """Get the image, or find it there."""
    image = container.spec.get("image", "")
    policy = container.spec.get("imagePullPolicy", "IfNotPresent")
    present = image in world.images or container.script.loaded
    wrong = invalid(image)
    if wrong:
        message = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {wrong}'
        _cannot(container, world, now, "InspectFailed", "InvalidImageName", message)
    elif policy == "Never" and not present:
        message = f'Container image "{image}" is not present with pull policy of Never'
        _cannot(container, world, now, "ErrImageNeverPull", "ErrImageNeverPull", message)
    elif policy != "Always" and present:
        message = f'Container image "{image}" already present on machine and can be accessed by the pod'
        world.tell(container, "Pulled", message)
        world.images.add(image)
        container.wait("starting", now + container.script.start_seconds)
    else:
        world.tell(container, "Pulling", f'Pulling image "{image}"')
        container.pulled_from = now
        container.wait("pulling", now + container.script.pull_seconds)


def _cannot(container: Container, world: World, now: float, event: str, reason: str, message: str) -> None:
    world.tell(container, event, message, "Warning")
    world.tell(container, "Failed", f"Error: {reason}", "Warning")
    container.wait("no image", now + SYNC_SECONDS, reason, message)


def pulled(pod: Pod, container: Container, world: World, now: float) -> None:
    """The pull is over, well or not."""
    image, script = container.spec.get("image", ""), container.script
    if script.pull_error:
        world.tell(container, "Failed", f'Failed to pull image "{image}": {script.pull_error}', "Warning")
        world.tell(container, "Failed", "Error: ErrImagePull", "Warning")
        container.pulls += 1
        container.wait("pull error", now + RETRY_SECONDS, "ErrImagePull", script.pull_error)
        return
    world.images.add(image)
    took = go_duration(now - container.pulled_from)
    size = image_size(image, script)
    message = f'Successfully pulled image "{image}" in {took} ({took} including waiting). Image size: {size} bytes.'
    world.tell(container, "Pulled", message)
    container.pulls = 0
    container.wait("starting", now + script.start_seconds)


def pull_failed(pod: Pod, container: Container, world: World, now: float) -> None:
    """After the error comes the back-off."""
    if container.restart_for == IMAGE_CHANGED:
        pull_again(pod, container, world, now)
        return
    image = container.spec.get("image", "")
    world.tell(container, "BackOff", f'Back-off pulling image "{image}"')
    world.tell(container, "Failed", "Error: ImagePullBackOff", "Warning")
    message = f'Back-off pulling image "{image}": ErrImagePull: {container.script.pull_error}'
    container.wait("pull back-off", now - RETRY_SECONDS + backoff(container.pulls), "ImagePullBackOff", message)


def pull_again(pod: Pod, container: Container, world: World, now: float) -> None:
    """The back-off is over, or there is another image to get."""
    container.restart_for = ""
    pull(pod, container, world, now)
