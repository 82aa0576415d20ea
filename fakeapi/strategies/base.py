"""What one kind may decide beyond the generic registry: a Strategy, all plain functions on plain dicts.

Stands for apiserver's rest.RESTCreateStrategy, RESTUpdateStrategy, RESTDeleteStrategy and printers.TableGenerator.
An object here is a dict in the resource's storage version ("hub"), already decoded: unknown fields are gone, types are
right, defaults are filled in. Functions named prepare_* and default change `obj` in place; validate_* never change
anything and return a list. Nothing here reads the clock, the store or the network: what is needed comes in `ctx`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from msgspec import Struct, field

from fakeapi.errors import FieldError

Obj = dict[str, Any]


class Context(Struct):
    """What a strategy may know of the request it works for.

    now: RFC 3339 time of the request. user: the requester's name; groups, uid and extra likewise. minor: the served
    Kubernetes minor (36 for 1.36). subresource: "" on the main resource.
    api_version: of the request ("events.k8s.io/v1"; "" counts as the storage version).
    warnings: append texts for the client here.
    """

    now: str
    user: str = ""
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)
    minor: int = 36
    namespace: str = ""
    subresource: str = ""
    dry_run: bool = False
    api_version: str = ""
    warnings: list[str] = field(default_factory=list)


class Column(Struct, frozen=True):
    """One column of `kubectl get`: metav1.TableColumnDefinition. priority 0 is always shown, 1 with -o wide."""

    name: str
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


class Printer(Struct, frozen=True):
    """A kind's Table. cells(obj, now) gives one cell a column; now is seconds since the epoch (for ages)."""

    columns: tuple[Column, ...]
    cells: Callable[[Obj, float], list[Any]]
    conditions: Callable[[Obj], list[dict[str, str]]] | None = None


def nothing(*_: Any) -> None:
    """A hook that does nothing."""


def no_errors(*_: Any) -> list[FieldError]:
    """A validator that finds nothing."""
    return []


def no_texts(*_: Any) -> list[str]:
    """A warner that says nothing."""
    return []


class SubStrategy(Struct, frozen=True):
    """Rules of a subresource that takes the whole object (ephemeralcontainers, resize, approval): see Strategy's."""

    prepare: Callable[[Obj, Obj, Context], None] = nothing
    validate: Callable[[Obj, Obj, Context], list[FieldError]] = no_errors


class Strategy(Struct, frozen=True, kw_only=True):
    """One kind's rules. Every default is the generic registry's behaviour.

    default(obj)                      SetDefaults_*: every field upstream defaults, in place
    prepare_create(obj, ctx)          PrepareForCreate: reset what clients may not set
    prepare_update(new, old, ctx)     PrepareForUpdate on the main resource (status is already reset to old's when
                                      the row has a status subresource; generation is already bumped by the rule below)
    validate(obj, ctx)                Validate, without metadata's (the registry does that)
    validate_update(new, old, ctx)    ValidateUpdate, without metadata's
    warnings(new, old, ctx)           WarningsOnCreate / WarningsOnUpdate (old is None on create)
    prepare_status(new, old, ctx)     PrepareForUpdate of /status: by default all but status and metadata is old's
    validate_status(new, old, ctx)    ValidateUpdate of /status
    name(text, prefix)                what a name may look like: list of messages (names.py has the usual ones)
    generation                        metadata.generation starts at 1 and grows with all but metadata and status
    fields                            field selectors beyond metadata.name and metadata.namespace: name -> obj -> text
    printer                           Table columns; None: Name and Created At
    create_on_update                  PUT (and apply's like) of an absent object creates it
    unconditional_update              PUT without resourceVersion is allowed
    delete_returns_object             a plain DELETE answers the object, not a Status
    default_propagation               what a DELETE without propagationPolicy means: "Background" or "Orphan"
    graceful(obj, seconds)            grace period of a delete in seconds, None for at once (Pods only)
    begin_delete(obj, ctx)            a deletion that only marks the object (Namespaces): change it and answer True
    undeletable(name)                 why the object of that name is never deleted (403), "" where it can be
    should_delete(new, old)           a further condition for an update to end a deletion (Namespaces' finalizers)
    bare_finalizers                   finalizers need no domain: kinds outside pkg/apis/core's rules
    hidden_annotations                annotations that stand for fields of the internal type: Tables do not show them
    keeps_status                      a create keeps the status that it is given (Nodes)
    subresources                      rules of further subresources that take the whole object, by name
    delete_warning                    told when a DELETE orphans because nothing else was asked for (Jobs)
    main_reset / status_reset         managedFields: top-level fields that a write to the main resource (to /status)
                                      never owns
    """

    default: Callable[[Obj], None] = nothing
    prepare_create: Callable[[Obj, Context], None] = nothing
    prepare_update: Callable[[Obj, Obj, Context], None] = nothing
    validate: Callable[[Obj, Context], list[FieldError]] = no_errors
    validate_update: Callable[[Obj, Obj, Context], list[FieldError]] = no_errors
    warnings: Callable[[Obj, Obj | None, Context], list[str]] = no_texts
    prepare_status: Callable[[Obj, Obj, Context], None] = nothing
    validate_status: Callable[[Obj, Obj, Context], list[FieldError]] = no_errors
    name: Callable[[str, bool], list[str]] | None = None
    generation: bool = False
    fields: Mapping[str, Callable[[Obj], str]] = field(default_factory=dict)
    printer: Printer | None = None
    create_on_update: bool = False
    unconditional_update: bool = True
    delete_returns_object: bool = False
    default_propagation: str = "Background"
    graceful: Callable[[Obj, int | None], int | None] | None = None
    begin_delete: Callable[[Obj, Context], bool] | None = None
    delete_warning: str = ""
    undeletable: Callable[[str], str] | None = None
    should_delete: Callable[[Obj, Obj], bool] | None = None
    bare_finalizers: bool = False
    hidden_annotations: tuple[str, ...] = ()
    keeps_status: bool = False
    subresources: Mapping[str, SubStrategy] = field(default_factory=dict)
    main_reset: tuple[str, ...] = ("status",)
    status_reset: tuple[str, ...] = ("spec",)


GENERIC = Strategy()


@cache
def find(name: str) -> Strategy:
    """STRATEGY of the module of that name beside this one; "" is the generic one.

    Most servers meet few kinds, so a kind's rules are read when it is first asked for.
    """
    if not name:
        return GENERIC
    found: Strategy = import_module(f"fakeapi.strategies.{name}").STRATEGY
    return found
