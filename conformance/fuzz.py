"""Generated requests to a target and to a reference, and what differs between them, shrunk to a short script.

The reference is model.py's dict, or another server (a real cluster) when a kubeconfig says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from conformance import machine
from conformance.model import Outcome, Step, predict
from conformance.target import Session, Target

STEPS = 12
NAMES = st.sampled_from(["a", "b", "c"])
LABELS = st.sampled_from(["x", "y"])
MANAGERS = st.sampled_from(["m1", "m2"])
KEYS = st.lists(st.sampled_from(["k1", "k2"]), unique=True).map(lambda keys: tuple(sorted(keys)))
NUMBERS = st.integers(1, 3)

WRITES = (
    st.tuples(st.just("create"), NAMES, LABELS, st.booleans()),
    st.tuples(st.just("put"), NAMES, LABELS, NUMBERS, st.booleans()),
    st.tuples(st.just("label"), NAMES, LABELS),
    st.tuples(st.just("status"), NAMES, NUMBERS),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("release"), NAMES),
    st.tuples(st.just("apply"), NAMES, MANAGERS, KEYS, st.sampled_from(["1", "2"])),
)
READS = (
    st.tuples(st.just("list"), st.sampled_from(["", "x"])),
    st.tuples(st.just("page"), st.integers(1, 2), st.one_of(*WRITES)),
)
# Most sequences begin with something to work on; shrinking drops what is not needed.
SEQUENCES: st.SearchStrategy[list[Step]] = st.tuples(
    st.lists(WRITES[0], max_size=3), st.lists(st.one_of(*WRITES, *READS), max_size=STEPS - 3)
).map(lambda parts: [*parts[0], *parts[1]])


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


@dataclass(slots=True)
class Result:
    """How a run of the fuzzer ended."""

    examples: int
    divergence: Divergence | None


def check(target: Target, reference: Target | None, steps: Sequence[Step]) -> None:
    """Take the steps to both. Divergence."""
    session = Session(target)
    found = machine.observe(session, steps)
    wanted = predict(steps) if reference is None else machine.observe(Session(reference), steps)
    for index, (want, got) in enumerate(zip(wanted, found, strict=True)):
        if want != got:
            raise Divergence(steps, index, want, got, session.script)


def fuzz(
    target: Target,
    reference: Target | None = None,
    examples: int = 100,
    seed: int | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> Result:
    """Try so many generated sequences; the first divergence, shrunk. machine.SetupError."""
    machine.prepare(target)
    if reference is not None:
        machine.prepare(reference)
    tried = 0

    def attempt(steps: list[Step]) -> None:
        nonlocal tried
        tried += 1
        progress(tried)
        check(target, reference, steps)

    test = hypothesis.given(SEQUENCES)(attempt)
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
