"""--runtime, --pod-manifest-path and --scheduler-plugins, for the commands that run nodes and schedulers: what
containers do, pods that nodes have of their own, and how pods are placed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fakeapi.commands.common import UserError

if TYPE_CHECKING:
    from fakenodes.kubelet.runtime.runtime import Runtime
    from fakenodes.scheduler.profiles import PluginTable


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


def add_plugins_flag(parser: argparse.ArgumentParser) -> None:
    """Add --scheduler-plugins FILE."""
    parser.add_argument(
        "--scheduler-plugins",
        type=Path,
        default=None,
        metavar="FILE",
        help="Python file with plugins or whole profiles of the scheduler (docs/scheduler.md)",
    )


def profiles_of(path: Path | None) -> Mapping[str, PluginTable] | None:
    """The profiles that a --scheduler-plugins file names, None without one. UserError."""
    if path is None:
        return None
    from fakenodes.scheduler.profiles import ProfileError, load

    try:
        return load(path)
    except (OSError, ProfileError) as error:
        raise UserError(f"cannot use {path}: {error}") from None


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
