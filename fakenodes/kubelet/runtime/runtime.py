"""Which script a container follows.

It is the pod's annotation `fakekube.io/container.<name>` (a JSON object with the camel-case names of Script's fields),
else the first image pattern of a Runtime that matches, else what the command says (commandline.py).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

import orjson

from fakenodes.kubelet.runtime.commandline import from_command
from fakenodes.kubelet.runtime.imagenames import full_name
from fakenodes.kubelet.runtime.script import Script, parse_script

Obj = Mapping[str, Any]
ANNOTATION = "fakekube.io/container."


class Runtime:
    """Which script which container follows. Patterns are matched as given and against the image's full name."""

    def __init__(self, *, jobs_exit: bool = False) -> None:
        self._patterns: list[tuple[str, Script]] = []
        self._jobs_exit = jobs_exit

    def image(self, pattern: str, script: Script) -> None:
        """Let images that match (`nginx:*`, `*/busybox`) follow the script; later patterns win."""
        self._patterns.insert(0, (pattern, script))

    def state(self) -> tuple[list[tuple[str, Script]], bool]:
        """For set_state."""
        return list(self._patterns), self._jobs_exit

    def set_state(self, state: tuple[list[tuple[str, Script]], bool]) -> None:
        """Go back to the patterns of then."""
        self._patterns, self._jobs_exit = list(state[0]), state[1]

    def load(self, found: Obj) -> None:
        """Take patterns from a YAML file's content: `{images: {pattern: {exitCode: 1}}, jobsExit: true}`."""
        for pattern, fields_ in (found.get("images") or {}).items():
            self.image(pattern, parse_script(fields_))
        self._jobs_exit = bool(found.get("jobsExit", self._jobs_exit))

    def script(self, pod: Obj, container: Obj) -> Script:
        """The script of one container of the pod."""
        command = [*(container.get("command") or ()), *(container.get("args") or ())]
        in_job = any(
            o.get("kind") == "Job" and o.get("controller") for o in pod["metadata"].get("ownerReferences") or ()
        )
        found = from_command(command, in_job)
        if in_job and self._jobs_exit and found.run_seconds is None:
            found = Script(run_seconds=0.0)
        image = container.get("image", "")
        for pattern, script in self._patterns:
            if fnmatch.fnmatchcase(image, pattern) or fnmatch.fnmatchcase(full_name(image), pattern):
                found = script
                break
        note = (pod["metadata"].get("annotations") or {}).get(ANNOTATION + container["name"])
        if note:
            try:
                found = parse_script(orjson.loads(note), found)
            except (ValueError, TypeError, AttributeError) as error:
                return Script(start_error=f"annotation {ANNOTATION}{container['name']}: {error}")
        return found
