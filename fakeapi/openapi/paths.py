"""Which paths and operations a row of the resource table has, before any OpenAPI version's spelling.

Stands for apiserver's endpoints/installer.go (which routes a resource gets, their names and texts) and for the CRD
route builder of apiextensions, whose texts differ a little and which has no deprecated watch paths.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from msgspec import Struct, field

from fakeapi.resources.base import Resource, Subresource

META = "io.k8s.apimachinery.pkg.apis.meta.v1."
JSON_TYPES = ("application/json", "application/yaml")
BUILTIN_TYPES = ("application/json", "application/vnd.kubernetes.protobuf", "application/yaml")
WATCH_TYPES = ("application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch")
PATCHES = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")
STRATEGIC = "application/strategic-merge-patch+json"

_LIST = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "shardSelector",
    "timeoutSeconds",
    "watch",
)
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_PATCH = ("dryRun", "patch.fieldManager", "fieldValidation", "force")
_DELETE = (
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
)
_NOT_COLLECTION = ("allowWatchBookmarks", "watch")

# Subresources whose every verb is a connection.
CONNECTS = frozenset(("attach", "exec", "portforward", "proxy"))
_VERB_METHODS = {"create": "post", "delete": "delete", "get": "get", "patch": "patch", "update": "put"}
_PROXY_METHODS = ("head", "options")


class Operation(Struct, frozen=True):
    """One method of a path. `body` and `returns` name definitions; "" is untyped, "string" is plain text."""

    method: str
    action: str
    operation_id: str
    description: str
    gvk: tuple[str, str, str] | None
    parameters: tuple[str, ...] = ()
    body: str = ""
    body_required: bool = True
    consumes: tuple[str, ...] = ()
    produces: tuple[str, ...] = JSON_TYPES
    returns: tuple[tuple[int, str], ...] = ()


class PathItem(Struct):
    """One URL: names of its path parameters ("name", "namespace", "path"), and its operations."""

    path: str
    kind: str = ""
    tag: str = ""
    placeholders: tuple[str, ...] = ()
    operations: list[Operation] = field(default_factory=list)


class Naming(Struct, frozen=True):
    """How one row's definitions are called: kind -> definition, and (group, version, kind) of others -> definition."""

    row: Resource
    version: str
    custom: bool
    of: Callable[[str, str, str], str]


@functools.cache
def parameters() -> dict[str, dict[str, Any]]:
    """Query parameters: key -> {type, description, since (a minor)?}. A key is a name, or kind.name."""
    found: dict[str, dict[str, Any]] = orjson.loads((Path(__file__).parent / "parameters.json").read_bytes())
    return found


def identifier(text: str, capital: bool) -> str:
    """Letters and digits, with a capital after anything else (and at the start, if asked)."""
    first, *rest = re.split(r"[^A-Za-z0-9]+", text)
    return (_capital(first) if capital else first) + "".join(map(_capital, rest))


def tag(group: str, version: str) -> str:
    """The tag of a group version's operations: "core_v1", "rbacAuthorization_v1"."""
    return identifier(group.removesuffix(".k8s.io") or "core", False) + (
        f"_{identifier(version, False)}" if version else ""
    )


def row_paths(naming: Naming) -> Iterator[PathItem]:
    """Every path of one row in one version."""
    row = naming.row
    root = f"/apis/{row.group}/{naming.version}" if row.group else f"/api/{naming.version}"
    scope = ("namespace",) if row.namespaced else ()
    base = f"{root}/namespaces/{{namespace}}/{row.plural}" if row.namespaced else f"{root}/{row.plural}"
    named = tag(row.group, naming.version)
    if row.namespaced and "list" in row.verbs:
        yield PathItem(f"{root}/{row.plural}", row.kind, named, (), [_list(naming, "ForAllNamespaces")])
    collection = PathItem(base, row.kind, named, scope, list(_collection(naming)))
    if collection.operations:
        yield collection
    item = PathItem(base + "/{name}", row.kind, named, ("name", *scope), list(_item(naming)))
    if item.operations:
        yield item
    if "watch" in row.verbs and not naming.custom:
        yield from _watch_paths(naming, root, base.removeprefix(root), scope)
    for sub in row.subresources:
        path = f"{base}/{{name}}/{sub.name}"
        kind = row.kind if naming.custom else sub.kind
        yield PathItem(path, kind, named, ("name", *scope), list(_sub(naming, sub, "")))
        if sub.name == "proxy":
            deeper = list(_sub(naming, sub, "WithPath"))
            yield PathItem(path + "/{path}", sub.kind, named, ("name", *scope, "path"), deeper)


def _watch_paths(naming: Naming, root: str, base: str, scope: tuple[str, ...]) -> Iterator[PathItem]:
    """The deprecated paths (WATCH and WATCHLIST actions); base: the collection's path below the root."""
    row, named = naming.row, tag(naming.row.group, naming.version)
    if row.namespaced:
        everywhere = [_watch(naming, "watchlist", "", "ListForAllNamespaces")]
        yield PathItem(f"{root}/watch/{row.plural}", row.kind, named, (), everywhere)
    many, one = f"{root}/watch{base}", f"{root}/watch{base}/{{name}}"
    yield PathItem(many, row.kind, named, scope, [_watch(naming, "watchlist", _scoped(row), "List")])
    yield PathItem(one, row.kind, named, ("name", *scope), [_watch(naming, "watch", _scoped(row), "")])


_INSTEAD = ". deprecated: use the 'watch' parameter with a list operation instead"
_WATCHES = {
    "watch": f"watch changes to an object of kind {{}}{_INSTEAD}, filtered to a single item with the 'fieldSelector' "
    "parameter.",
    "watchlist": f"watch individual changes to a list of {{}}{_INSTEAD}.",
}


def _watch(naming: Naming, action: str, scoped: str, suffix: str) -> Operation:
    return _operation(
        naming,
        "get",
        action,
        ("watch", scoped + naming.row.kind + suffix),
        _WATCHES[action].format(naming.row.kind),
        parameters=_LIST,
        produces=tuple(sorted((*BUILTIN_TYPES, *WATCH_TYPES))),
        returns=((200, META + "WatchEvent"),),
    )


def _collection(naming: Naming) -> Iterator[Operation]:
    row = naming.row
    if "list" in row.verbs:
        yield _list(naming, "")
    if "create" in row.verbs:
        yield _create(naming, row.kind, _gvk(naming), "")
    if "deletecollection" in row.verbs:
        listed = tuple(name for name in _LIST if name not in _NOT_COLLECTION)
        names = _LIST if naming.custom else tuple(sorted({*listed, *_DELETE}))
        yield _operation(
            naming,
            "delete",
            "deletecollection",
            ("delete", "collection" + _scoped(row) + row.kind),
            f"delete collection of {row.kind}",
            parameters=names,
            body="" if naming.custom else META + "DeleteOptions",
            body_required=False,
            returns=((200, META + "Status"),),
        )


def _item(naming: Naming) -> Iterator[Operation]:
    row = naming.row
    if "get" in row.verbs:
        yield _read(naming, row.kind, _gvk(naming), "")
    if "update" in row.verbs:
        yield _replace(naming, row.kind, _gvk(naming), "")
    if "delete" in row.verbs:
        deleted = _definition(naming, row.kind) if row.strategy.delete_returns_object else META + "Status"
        yield _operation(
            naming,
            "delete",
            "delete",
            ("delete", _scoped(row) + row.kind),
            f"delete{_article(row.kind)}{row.kind}",
            parameters=_DELETE,
            body=META + "DeleteOptions",
            body_required=False,
            returns=((200, deleted), (202, deleted)),
        )
    if "patch" in row.verbs:
        yield _patch(naming, row.kind, _gvk(naming), "")


def _sub(naming: Naming, sub: Subresource, suffix: str) -> Iterator[Operation]:
    group = naming.row.group if sub.group is None else sub.group
    gvk = (group, sub.version or naming.version, sub.kind)
    if sub.name in CONNECTS:
        methods = [_VERB_METHODS[verb] for verb in sub.verbs]
        yield from (_connect(naming, sub, method, gvk, suffix) for method in methods)
        if sub.name == "proxy":
            yield from (_connect(naming, sub, method, gvk, suffix) for method in _PROXY_METHODS)
        return
    # A custom resource's scale is named by the custom kind, a built-in one's by autoscaling/v1 Scale.
    shown = _gvk(naming) if naming.custom else gvk
    definition = "string" if sub.name == "log" else naming.of(*gvk)
    makers = {"get": _read, "update": _replace, "patch": _patch, "create": _create}
    yield from (makers[verb](naming, definition, shown, sub.name) for verb in sub.verbs if verb in makers)


def _connect(naming: Naming, sub: Subresource, method: str, gvk: tuple[str, str, str], suffix: str) -> Operation:
    row = naming.row
    return _operation(
        naming,
        method,
        "connect",
        ("connect", f"{method.title()}{_scoped(row)}{row.kind}{sub.name.title()}{suffix}"),
        f"connect {method.upper()} requests to {sub.name} of {row.kind}",
        gvk=gvk,
        parameters=_options(sub.kind),
        produces=("*/*",),
        returns=((200, "string"),),
    )


def _options(kind: str) -> tuple[str, ...]:
    """Keys of the query parameters that a kind of options is spelt in."""
    return tuple(key for key in parameters() if key.startswith(kind + "."))


def _list(naming: Naming, suffix: str) -> Operation:
    row = naming.row
    scoped = "" if suffix else _scoped(row)
    verbs = "list" if naming.custom else "list or watch"
    watches = () if naming.custom else WATCH_TYPES
    return _operation(
        naming,
        "get",
        "list",
        ("list", scoped + row.kind + suffix),
        f"{verbs} objects of kind {row.kind}",
        parameters=_LIST if "watch" in row.verbs else tuple(name for name in _LIST if name not in _NOT_COLLECTION),
        produces=tuple(sorted((*_types(naming), *watches))),
        returns=((200, _definition(naming, row.list_kind)),),
    )


def _read(naming: Naming, kind: str, gvk: tuple[str, str, str], sub: str) -> Operation:
    names = ("read", _scoped(naming.row) + naming.row.kind + sub.title())
    text = f"read {sub} of the specified {naming.row.kind}" if sub else f"read the specified {naming.row.kind}"
    names_of = ("resourceVersion",) if naming.custom else _options("PodLogOptions") if sub == "log" else ()
    returns = ((200, _definition(naming, kind)),)
    produces = (*BUILTIN_TYPES, "text/plain") if sub == "log" else ()
    return _operation(
        naming, "get", "get", names, text, gvk=gvk, parameters=names_of, produces=produces, returns=returns
    )


def _replace(naming: Naming, kind: str, gvk: tuple[str, str, str], sub: str) -> Operation:
    names = ("replace", _scoped(naming.row) + naming.row.kind + sub.title())
    text = f"replace {sub} of the specified {naming.row.kind}" if sub else f"replace the specified {naming.row.kind}"
    body = _definition(naming, kind)
    returns = ((200, body), (201, body))
    return _operation(naming, "put", "put", names, text, gvk=gvk, parameters=_WRITE, body=body, returns=returns)


def _patch(naming: Naming, kind: str, gvk: tuple[str, str, str], sub: str) -> Operation:
    names = ("patch", _scoped(naming.row) + naming.row.kind + sub.title())
    what = f"{sub} of the specified" if sub else "the specified"
    made = _definition(naming, kind)
    return _operation(
        naming,
        "patch",
        "patch",
        names,
        f"partially update {what} {naming.row.kind}",
        gvk=gvk,
        parameters=_PATCH,
        body=META + "Patch",
        consumes=PATCHES if naming.custom else (*PATCHES, STRATEGIC),
        returns=((200, made),) if naming.custom else ((200, made), (201, made)),
    )


def _create(naming: Naming, kind: str, gvk: tuple[str, str, str], sub: str) -> Operation:
    row = naming.row
    names = ("create", _scoped(row) + row.kind + sub.title())
    text = f"create {sub} of{_article(row.kind)}{row.kind}" if sub else f"create{_article(row.kind)}{row.kind}"
    body = _definition(naming, kind)
    returns = tuple((code, body) for code in (200, 201, 202))
    return _operation(naming, "post", "post", names, text, gvk=gvk, parameters=_WRITE, body=body, returns=returns)


def _operation(
    naming: Naming,
    method: str,
    action: str,
    names: tuple[str, str],
    description: str,
    *,
    gvk: tuple[str, str, str] | None = None,
    parameters: tuple[str, ...] = (),
    body: str = "",
    body_required: bool = True,
    consumes: tuple[str, ...] = (),
    produces: tuple[str, ...] = (),
    returns: tuple[tuple[int, str], ...] = (),
) -> Operation:
    """names: the verb that an operation's id starts with, and what follows after group and version."""
    verb, rest = names
    group = identifier(naming.row.group.removesuffix(".k8s.io") or "core", True)
    return Operation(
        method,
        action,
        f"{verb}{group}{identifier(naming.version, True)}{identifier(rest, True)}",
        description,
        gvk or _gvk(naming),
        parameters,
        body,
        body_required,
        consumes or (_types(naming) if naming.custom else ("*/*",)),
        produces or _types(naming),
        returns,
    )


def _definition(naming: Naming, kind: str) -> str:
    """The definition of one of the row's own kinds; what is a definition's name already stays."""
    return kind if "." in kind or kind == "string" else naming.of(naming.row.group, naming.version, kind)


def _gvk(naming: Naming) -> tuple[str, str, str]:
    return naming.row.group, naming.version, naming.row.kind


def _types(naming: Naming) -> tuple[str, ...]:
    return JSON_TYPES if naming.custom else BUILTIN_TYPES


def _scoped(row: Resource) -> str:
    return "Namespaced" if row.namespaced else ""


def _article(noun: str) -> str:
    """GetArticleForNoun: plurals have none."""
    if noun.endswith("s") and not noun.endswith("ss"):
        return " "
    return " an " if noun[0] in "aeiouAEIOU" else " a "


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]
