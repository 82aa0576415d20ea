"""Strategic merge patches: merge patches that know which lists have merge keys.

Directives: `$patch` (replace, delete, merge), `$retainKeys`, `$setElementOrder/<list>` and
`$deleteFromPrimitiveList/<list>`. What merges, and by which key, is on the Type tree (patch_strategy, patch_merge_key).
Stands for apimachinery's util/strategicpatch (StrategicMergeMapPatch) with its order of list items and its errors; the
making of such patches is the client's. Custom resources take none (415, before anything here).
"""

from __future__ import annotations

from typing import Any

from fakeapi import errors
from fakeapi.gofmt import go_map, go_quote
from fakeapi.patch import rejected
from fakeapi.plain import copied
from fakeapi.schema.restore import go_kind
from fakeapi.schema.types import Type

Obj = dict[str, Any]

_PATCH = "$patch"
_RETAIN_KEYS = "$retainKeys"
_SET_ORDER = "$setElementOrder"
_DELETE_FROM = "$deleteFromPrimitiveList"

_BAD_RETAIN = "invalid patch format of retainKeys"
_BAD_ORDER = "invalid patch format of setElementOrder list"
_BAD_DELETION = "invalid patch format of primitive list"

_GONE: Any = object()


class _Failed(Exception):
    """The patch does not apply: an untyped error upstream, answered with a plain 500."""


class _Malformed(_Failed):
    """The patch is badly made: 400."""


class _ListOfLists(_Failed):
    """422."""


def strategic_merge(doc: Obj, patch: Obj, type: Type) -> Obj:
    """The document after the patch; both stay as they are. type: the document's root type.

    ApiError 400, 422 or 500, as upstream tells malformed patches from others."""
    try:
        return _merge_map(copied(doc), copied(patch), type)
    except _Malformed as error:
        raise errors.bad_request(str(error)) from None
    except _ListOfLists:
        raise rejected() from None
    except _Failed as error:
        raise errors.plain_500(str(error)) from None


def _merge_map(original: Obj, patch: Obj, type: Type) -> Obj:
    if _PATCH in patch:
        return _replaced(patch)
    _retain_keys(original, patch)
    for key in [k for k in patch if k.startswith(_SET_ORDER)]:
        _set_order(original, patch, key, type)
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            name = _list_name(key, _DELETE_FROM, _BAD_DELETION)
            if value is None:
                original.pop(name, None)
            elif isinstance(value, list) and isinstance(original.get(name), list):
                original[name] = _delete_from(original[name], value, name, type)
        elif value is None:
            original.pop(key, None)
        else:
            merged = _merge_field(original.get(key), value, key, type)
            if merged is _GONE:
                original.pop(key, None)
            else:
                original[key] = merged
    return original


def _list_name(key: str, directive: str, problem: str) -> str:
    """The list that a directive `$directive/<list>` is about."""
    before, slash, name = key.partition("/")
    if not slash or before != directive:
        raise _Malformed(problem)
    return name


def _replaced(patch: Obj) -> Obj:
    directive = patch[_PATCH]
    if directive == "replace":
        return {k: v for k, v in patch.items() if k != _PATCH}
    if directive == "delete":
        return {}
    raise _Failed(f"unknown patch type: {_go_string(directive)} in map: {go_map(patch)}")


def _merge_field(original: Any, value: Any, key: str, type: Type) -> Any:
    """The new value of one field; _GONE when a directive takes it away."""
    if isinstance(original, dict) and isinstance(value, dict):
        below = _field_type(type, key)
        return value if "replace" in below.patch_strategy else _merge_map(original, value, below)
    if isinstance(original, list) and isinstance(value, list):
        below = _list_type(type, key)
        return _merge_list(original, value, below) if "merge" in below.patch_strategy else value
    if original is None or _go_type(original) != _go_type(value):
        _discard_nulls(value)
    return _without_directives(value)


def _retain_keys(original: Obj, patch: Obj) -> None:
    if _RETAIN_KEYS not in patch:
        return
    kept = patch.pop(_RETAIN_KEYS)
    if not isinstance(kept, list):
        raise _Malformed(_BAD_RETAIN)
    for key, value in patch.items():
        if value is not None and not key.startswith((_DELETE_FROM, _SET_ORDER)) and key not in kept:
            raise _Malformed(_BAD_RETAIN)
    for key in [k for k in original if k not in kept]:
        del original[key]


def _set_order(original: Obj, patch: Obj, key: str, type: Type) -> None:
    """Merge the list that the directive is about, in the order it gives; takes both out of the patch."""
    order = patch.pop(key)
    if not isinstance(order, list):
        raise _bad_argument("[]interface {}", order)
    name = _list_name(key, _SET_ORDER, _BAD_ORDER)
    mine, theirs = original.get(name, _GONE), patch.get(name, _GONE)
    for found in (mine, theirs):
        if found is not _GONE and not isinstance(found, list):
            raise _bad_argument("[]interface {}", found)
    below = _list_type(type, name)
    merge_key = below.patch_merge_key
    _check_order([] if theirs is _GONE else theirs, order, merge_key)
    if mine is _GONE and theirs is _GONE:
        return
    if theirs is _GONE:
        merged = mine
    elif mine is _GONE:
        merged = _without_directives(theirs)
    else:
        merged = _merge_list(mine, theirs, below) if "merge" in below.patch_strategy else theirs
    named, others = _partition(merged, order, merge_key)
    server_order = [] if mine is _GONE else mine
    of_maps = _of_maps(server_order, [] if theirs is _GONE else theirs)
    original[name] = _in_order(named, others, order, server_order, merge_key, of_maps)
    patch.pop(name, None)


def _check_order(patch: list[Any], order: list[Any], merge_key: str) -> None:
    """The patch's items must come in the order that is asked for."""
    if not order or not patch:
        return
    items = [x for x in patch if not (merge_key and isinstance(x, dict) and x.get(_PATCH) == "delete")]
    if merge_key:
        for item in patch:
            if not isinstance(item, dict):
                raise _bad_argument("map[string]interface {}", item)
    at, wanted = 0, 0
    while at < len(items) and wanted < len(order):
        if isinstance(items[at], dict) and _PATCH in items[at]:
            at += 1
            continue
        if merge_key and not isinstance(order[wanted], dict):
            raise _bad_argument("map[string]interface {}", order[wanted])
        if merge_key:
            for side in (items[at], order[wanted]):
                if merge_key not in side:
                    raise _no_key(side, merge_key)
        if _key(items[at], merge_key) == _key(order[wanted], merge_key):
            at += 1
        wanted += 1
    if at < len(items):
        raise _Failed(
            f"The order in patch list:\n{go_map(patch)}\n doesn't match $setElementOrder list:\n{go_map(order)}\n"
        )


def _merge_list(original: list[Any], patch: list[Any], type: Type) -> list[Any]:
    if not original and not patch:
        return original
    merge_key = type.patch_merge_key
    of_maps = _of_maps(original, patch)
    if of_maps:
        if not merge_key:
            raise _Failed("cannot merge lists without merge key for struct")
        original, patch = _directives_in_list(original, patch, merge_key)
        merged = _merge_items(list(original), patch, type)
    else:
        merged = _deduplicated(original + patch)
    named, others = _partition(merged, patch, merge_key)
    return _in_order(named, others, patch, original, merge_key, of_maps)


def _directives_in_list(original: list[Any], patch: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    plain, replace = [], False
    for item in patch:
        directive = item.get(_PATCH, _GONE)
        if directive is _GONE:
            plain.append(item)
        elif directive == "delete":
            if merge_key not in item:
                raise _no_key(item, merge_key)
            original = [x for x in original if _key(x, merge_key) != _key(item, merge_key)]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise _Failed("merging lists cannot yet be specified in the patch")
        else:
            raise _Failed(f"unknown patch type: {_go_string(directive)} in map: {go_map(item)}")
    return (plain, []) if replace else (original, plain)


def _merge_items(original: list[Any], patch: list[Any], type: Type) -> list[Any]:
    merge_key, element = type.patch_merge_key, type.element or type
    for item in patch:
        if merge_key not in item:
            raise _no_key(item, merge_key)
        where = next((i for i, x in enumerate(original) if _key(x, merge_key) == _key(item, merge_key)), None)
        if where is None:
            original.append(item)
        else:
            original[where] = _merge_map(original[where], item, element)
    return original


def _delete_from(original: list[Any], gone: list[Any], name: str, type: Type) -> list[Any]:
    below = _list_type(type, name)
    if not original and not gone:
        return original
    if _of_maps(original, gone):
        return _merge_list(original, gone, below)
    return [x for x in original if not any(_equal(x, y) for y in gone)]


def _deduplicated(items: list[Any]) -> list[Any]:
    """Without repetitions. Upstream fills a repetition's place with the last item; order is restored later."""
    out = list(items)
    i = 0
    while i < len(out) - 1:
        j = i + 1
        while j < len(out):
            if _equal(out[i], out[j]):
                out[j] = out[-1]
                out.pop()
            else:
                j += 1
        i += 1
    return out


def _partition(items: list[Any], by: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """Those items that `by` has too, and the rest."""
    known = _keys(by, merge_key)
    named: list[Any] = []
    others: list[Any] = []
    for item in items:
        if merge_key:
            if not isinstance(item, dict):
                raise _bad_argument("map[string]interface {}", item)
            if merge_key not in item:
                raise _no_key(item, merge_key)
        (named if _key(item, merge_key) in known else others).append(item)
    return named, others


def _in_order(
    named: list[Any], others: list[Any], order: list[Any], server_order: list[Any], merge_key: str, of_maps: bool
) -> list[Any]:
    """Named items in `order`, the others in the server's; a named item that the server lacks goes first."""
    key = merge_key if of_maps else ""
    named, others = _sorted_by(named, order, key), _sorted_by(others, server_order, key)
    server_keys = _keys(server_order, key)
    out, i, j = [], 0, 0
    while i < len(others) and j < len(named):
        left, right = _position(server_keys, others[i], key), _position(server_keys, named[j], key)
        if 0 <= left < right:
            out.append(others[i])
            i += 1
        else:
            out.append(named[j])
            j += 1
    return [*out, *others[i:], *named[j:]]


def _sorted_by(items: list[Any], order: list[Any], key: str) -> list[Any]:
    if key:
        for item in (*items, *order):
            if not isinstance(item, dict):
                raise _bad_argument("map[string]interface {}", item)
            if key not in item:
                raise _no_key(item, key)
    deleted = [x for x in items if key and x.get(_PATCH) == "delete"]
    kept = [x for x in items if not (key and x.get(_PATCH) == "delete")]
    keys = _keys(order, key)
    return sorted(kept, key=lambda x: _position(keys, x, key)) + deleted


def _position(keys: list[_Key], item: Any, key: str) -> int:
    """Where an item of that key stands among those with these keys; -1 when it does not."""
    wanted = _key(item, key)
    return keys.index(wanted) if wanted in keys else -1


_Key = tuple[type, Any]


def _key(item: Any, merge_key: str) -> _Key:
    """What items are compared by: the type counts too, as in Go."""
    value = item.get(merge_key) if merge_key and isinstance(item, dict) else item
    return value.__class__, value


def _keys(items: list[Any], merge_key: str) -> list[_Key]:
    return [_key(item, merge_key) for item in items]


def _equal(a: Any, b: Any) -> bool:
    return _key(a, "") == _key(b, "")


def _of_maps(*lists: list[Any]) -> bool:
    """Whether the items are objects. All must be of one type, and none a list."""
    kinds = [_go_type(item) for items in lists for item in items]
    if not kinds:
        raise _Failed("no elements in any of the given slices")
    if kinds[0] == "[]interface {}":
        raise _ListOfLists("lists of lists are not supported")
    if any(kind != kinds[0] for kind in kinds):
        raise _Failed(f"list element types are not identical: {go_map(list(lists))}")
    return kinds[0] == "map[string]interface {}"


def _without_directives(value: Any) -> Any:
    """The value as new data: objects with a `$patch` are left out. _GONE when it is one itself."""
    if isinstance(value, dict):
        if _PATCH in value:
            return _GONE
        kept = {k: _without_directives(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if v is not _GONE}
    if isinstance(value, list):
        return [x for x in map(_without_directives, value) if x is not _GONE]
    return value


def _discard_nulls(value: Any) -> None:
    if isinstance(value, dict):
        for key in [k for k, v in value.items() if v is None]:
            del value[key]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _discard_nulls(item)


def _field_type(type: Type, key: str) -> Type:
    if type.kind != "object" and type.kind != "any":
        raise _Failed(f"merging an object in json but data type is not struct, instead is: {go_kind(type)}")
    found = type.fields.get(key)
    if found is None:
        name = type.go.rpartition(".")[2]
        raise _Failed(f"unable to find api field in struct {name} for the json field {go_quote(key)}")
    return found


def _list_type(type: Type, key: str) -> Type:
    found = _field_type(type, key)
    if found.kind != "list":
        raise _Failed(f"expected slice or array type, but got: {go_kind(type)}")
    return found


_GO_TYPES = {"dict": "map[string]interface {}", "list": "[]interface {}", "str": "string", "int": "int64"}
_GO_TYPES |= {"float": "float64", "NoneType": "%!s(<nil>)"}


def _go_type(value: Any) -> str:
    """reflect.Type's name of a decoded JSON value."""
    name: str = value.__class__.__name__
    return _GO_TYPES.get(name, name)


def _go_string(value: Any) -> str:
    """%s of a directive, which ought to be a string."""
    return value if isinstance(value, str) else f"%!s({_go_type(value)}={go_map(value)})"


def _bad_argument(expected: str, actual: Any) -> _Failed:
    return _Failed(f"expected a {expected}, but received a {_go_type(actual)}")


def _no_key(item: Obj, key: str) -> _Failed:
    return _Failed(f"map: {go_map(item)} does not contain declared merge key: {key}")
