"""Profiles of the scheduler: which plugins pods of which schedulerName are placed by, with a user's own among them.

Stands for KubeSchedulerConfiguration's profiles, said in Python: a file names a table of plugins by schedulerName, made
with profile() out of the default ones.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fakenodes.scheduler.framework import Handle, Plugin, QueueSort
from fakenodes.scheduler.plugins import PLUGINS

DEFAULT = "default-scheduler"
Factory = Callable[[Handle], Plugin]
PluginTable = Sequence[tuple[Factory, int]]


class ProfileError(ValueError):
    """This is no file of profiles."""


def profile(
    *add: Factory | tuple[Factory, int], remove: Sequence[str] = (), weights: Mapping[str, int] | None = None
) -> PluginTable:
    """The default plugins, changed: those to add (with the weight of their scores, else 1), to remove, other weights.

    An added plugin with the name of a default one takes its place; functools.partial gives it arguments. ProfileError
    for a name that there is not.
    """
    table = {_name(factory): (factory, weight) for factory, weight in PLUGINS}
    for name in (*remove, *(weights or {})):
        if name not in table:
            raise ProfileError(f"there is no plugin {name!r}; there are {', '.join(table)}")
    for name in remove:
        del table[name]
    for name, weight in (weights or {}).items():
        table[name] = (table[name][0], weight)
    for entry in add:
        factory, weight = entry if isinstance(entry, tuple) else (entry, 1)
        table[_name(factory)] = (factory, weight)
    return tuple(table.values())


def _name(factory: Factory) -> str:
    made = getattr(factory, "func", factory)  # of a partial
    return str(getattr(made, "name", getattr(made, "__name__", made)))


def load(path: Path) -> dict[str, PluginTable]:
    """The profiles of a Python file: its PROFILES, by schedulerName, or PLUGINS to add to the default profile.

    OSError, ProfileError; what the file itself raises becomes a ProfileError.
    """
    path.stat()
    spec = importlib.util.spec_from_file_location(f"fakekube_scheduler_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ProfileError(f"{path}: a profile is a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the file is its author's
        raise ProfileError(f"{path}: {type(error).__name__}: {error}") from error
    if hasattr(module, "PROFILES"):
        return checked(module.PROFILES, str(path))
    if hasattr(module, "PLUGINS"):
        return checked({DEFAULT: profile(*module.PLUGINS)}, str(path))
    raise ProfileError(f"{path}: neither PROFILES nor PLUGINS is there")


def checked(profiles: Mapping[str, PluginTable], where: str) -> dict[str, PluginTable]:
    """The same, or a ProfileError for what cannot be used."""
    if not profiles:
        raise ProfileError(f"{where}: there is no profile")
    for name, table in profiles.items():
        if not all(callable(factory) for factory, _ in table):
            raise ProfileError(f"{where}: profile {name!r}: a plugin is a class that takes a Handle")
        sorting = [f for f, _ in table if isinstance(f, type) and hasattr(f, "sort_key")]
        if len(sorting) > 1:
            raise ProfileError(f"{where}: profile {name!r} has more than one {QueueSort.__name__} plugin")
    return dict(profiles)
