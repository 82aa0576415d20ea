"""--runtime and --pod-manifest-path, for the commands that run nodes: what containers do, and pods that nodes have of
their own.
"""

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


def add_manifest_flag(parser: argparse.ArgumentParser) -> None:
    """Add --pod-manifest-path DIR."""
    parser.add_argument(
        "--pod-manifest-path",
        action="append",
        default=[],
        metavar="[NODE=]DIR",
        help="run the Pods whose manifests lie there as static pods, on this node or on all; may be repeated",
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
