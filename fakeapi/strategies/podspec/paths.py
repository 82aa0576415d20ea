"""Paths and file modes inside volumes.

Stands for validateLocalDescendingPath, ValidateLocalNonReservedPath and the mode checks of pkg/apis/core/validation.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def no_backsteps(value: str, path: str) -> list[FieldError]:
    """No element may be `..`."""
    return [invalid(path, value, "must not contain '..'")] if ".." in value and ".." in value.split("/") else []


def descending_path(value: str, path: str) -> list[FieldError]:
    """Relative, and never up."""
    absolute = [invalid(path, value, "must be a relative path")] if value.startswith("/") else []
    return absolute + no_backsteps(value, path)


def non_reserved_path(value: str, path: str) -> list[FieldError]:
    """Descending, and not starting with two dots."""
    errors = descending_path(value, path)
    if value.startswith("..") and not value.startswith("../"):
        errors.append(invalid(path, value, "must not start with '..'"))
    return errors


def file_mode(mode: int | None, path: str) -> list[FieldError]:
    """0 to 0777; None is fine."""
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid(path, mode, _MODE)]
