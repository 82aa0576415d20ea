"""The type tree that decoding, pruning, strategic merge and server-side apply walk; one for built-in and custom kinds.

Stands for Go's struct tags (built-in kinds), structural schemas (custom resources) and structured-merge-diff's typed
schema. A Type is a node *as reached by one edge*: what upstream says on the field (list type, merge key) is on it.
Compiled lazily from OpenAPI (definitions.py), so recursive schemas and start-up cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct, field


class Type(Struct, eq=False):
    """One node.

    kind: object (named fields) | map (string keys, `element` values) | list (of `element`) | string | integer | number
        | boolean | quantity | int-or-string | time | micro-time | bytes (base64 text) | any (untyped JSON)
    name: definition name ("io.k8s.api.core.v1.PodSpec") or "" for anonymous nodes
    go: the Go type as decode errors name it: "int32", "string", "v1.PodSpec", "[]v1.Container", "map[string]string"
    list_type: atomic | set | map (lists); map_keys: the keys of a list of type map
    map_type: granular | atomic (objects and maps)
    patch_strategy: of {"merge", "replace", "retainKeys"} (x-kubernetes-patch-strategy); patch_merge_key
    pointer: Go has a pointer here, so a zero value that was given is kept
    omitempty: Go leaves the zero value out when encoding; False: an absent field comes out as its zero value. This is
        the effect, not the tag: for structs held by value Go heeds omitzero alone, so `resources`, `status` have False
    via: the embedded struct that a field comes from, as decode errors name it: "ProbeHandler" for a probe's httpGet
    preserve_unknown: unknown fields stay (x-kubernetes-preserve-unknown-fields)
    embedded: the object is a resource of its own (x-kubernetes-embedded-resource)
    defaults: key defaults for map list keys (ports' protocol: TCP), used when a key is absent
    decoder: decode.decoder's memory
    """

    kind: str
    name: str = ""
    go: str = ""
    field_source: Callable[[], Mapping[str, Type]] | None = None
    element: Type | None = None
    required: tuple[str, ...] = ()
    list_type: str = "atomic"
    map_keys: tuple[str, ...] = ()
    map_type: str = "granular"
    patch_strategy: frozenset[str] = frozenset()
    patch_merge_key: str = ""
    pointer: bool = False
    omitempty: bool = True
    via: str = ""
    preserve_unknown: bool = False
    embedded: bool = False
    nullable: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=dict)
    _fields: Mapping[str, Type] | None = None
    decoder: Any = None

    @property
    def fields(self) -> Mapping[str, Type]:
        """Named fields of an object, compiled on first use; empty for other kinds."""
        if self._fields is None:
            self._fields = self.field_source() if self.field_source else {}
        return self._fields
