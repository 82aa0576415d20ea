"""Generated requests to a target and to a reference, and what differs between them, shrunk to a short script.

Each example is a sequence of one machine. The reference is the machine's own model, a small dict, or another server (a
real cluster) when a kubeconfig says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from msgspec import Struct

from conformance import crud, definitions, ownership, patches, things
from conformance.machine import Machine, Outcome, SetupError, Step
from conformance.target import Session, Target

MACHINES = (crud.MACHINE, ownership.MACHINE, patches.MACHINE, definitions.MACHINE)


class Divergence(AssertionError):
    """Target and reference differ. `report` is for a person: the step, both outcomes, and a script."""

    def __init__(
        self, steps: Sequence[Step], index: int, wanted: Outcome, found: Outcome, script: Sequence[str]
    ) -> None:
        self.steps = list(steps)
        self.wanted, self.found = wanted, found
        what = f"step {index + 1}, {_words(steps[index])}" if index < len(steps) else "the watch from the beginning"
        different = {key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)}
        lines = [f"{what}:"]
        for key in sorted(different):
            lines += [
                f"  {key} should be {_shown(wanted.get(key))}",
                f"  {' ' * len(key)}        is {_shown(found.get(key))}",
            ]
        lines += ["after these steps:", *(f"  {n}. {_words(step)}" for n, step in enumerate(steps, 1))]
        lines += ["as a script (CURL='curl -sS --cacert ca.crt --cert client.crt --key client.key'):", *script]
        self.report = "\n".join(lines)
        super().__init__(self.report)


def _words(step: Step) -> str:
    return " ".join(str(part) for part in step)


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)


class Result(Struct):
    """How a run of the fuzzer ended."""

    examples: int
    divergence: Divergence | None


def check(machine: Machine, target: Target, reference: Target | None, steps: Sequence[Step]) -> None:
    """Take the machine's steps to both. Divergence."""
    session = Session(target)
    found = machine.observe(session, steps)
    wanted = machine.predict(steps) if reference is None else machine.observe(Session(reference), steps)
    for index, (want, got) in enumerate(zip(wanted, found, strict=True)):
        if want != got:
            raise Divergence(steps, index, want, got, session.script)


def fuzz(
    target: Target,
    reference: Target | None = None,
    examples: int = 100,
    seed: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
    machines: Sequence[Machine] = MACHINES,
) -> Result:
    """Try so many generated sequences; the first divergence, shrunk. SetupError."""
    servers = [target] if reference is None else [target, reference]
    for server in servers:
        things.prepare(server)
    if any(map(things.controllers_run, servers)):
        alone = ", ".join(machine.name for machine in machines if not machine.controllers)
        machines = [machine for machine in machines if machine.controllers]
        if not machines:
            raise SetupError(f"{alone}: a kube-controller-manager has a hand in it")
    tried = 0

    def attempt(chosen: tuple[Machine, list[Step]]) -> None:
        nonlocal tried
        tried += 1
        progress(tried)
        machine, steps = chosen
        check(machine, target, reference, steps)

    test = hypothesis.given(st.one_of(*(st.tuples(st.just(m), m.sequences) for m in machines)))(attempt)
    test = hypothesis.settings(
        max_examples=examples, deadline=None, database=None, print_blob=False, report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
        verbosity=hypothesis.Verbosity.quiet, derandomize=False,
    )(test)  # fmt: skip
    if seed is not None:
        test = hypothesis.seed(seed)(test)
    try:
        test()
    except Divergence as error:
        return Result(tried, error)
    return Result(tried, None)
