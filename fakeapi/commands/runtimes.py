"""--runtime, for the commands that run nodes: what containers of which images do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fakeapi.commands.common import UserError

if TYPE_CHECKING:
    from fakenodes.kubelet.runtime.runtime import Runtime


def add_runtime_flag(parser: argparse.ArgumentParser) -> None:
    """Add --runtime FILE."""
    parser.add_argument(
        "--runtime",
        type=Path,
        default=None,
        metavar="FILE",
        help="YAML that says what containers of which images do (docs/runtime.md)",
    )


def runtime_of(path: Path | None) -> Runtime | None:
    """The Runtime that a --runtime file describes, None without one. UserError."""
    if path is None:
        return None
    import yaml

    from fakenodes.kubelet.runtime.runtime import Runtime

    runtime = Runtime()
    try:
        runtime.load(yaml.safe_load(path.read_text()) or {})
    except (OSError, yaml.YAMLError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"cannot use {path}: {error}") from None
    return runtime
