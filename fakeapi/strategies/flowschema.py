"""FlowSchema: which requests go to which priority level.

Stands for pkg/registry/flowcontrol/flowschema, its validation and defaults.
"""

from __future__ import annotations

from functools import lru_cache

import orjson

from fakeapi.bootstrap import flowcontrol
from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.gofmt import GoText
from fakeapi.names import check, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table

_METHODS = ("ByNamespace", "ByUser")
_SUBJECTS = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
_MAX_PRECEDENCE = 10000
_VERBS = frozenset(("get", "list", "create", "update", "delete", "deletecollection", "patch", "watch", "proxy"))
_PATH_VERBS = frozenset(("head", "options", "post", "put"))
_WORDS = {"verbs": "verbs", "apiGroups": "api groups", "resources": "resources", "nonResourceURLs": "nonResourceURLs"}


def _default(obj: Obj) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = 1000


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}


def _subject(at: str, subject: Obj) -> list[FieldError]:
    kind = subject.get("kind", "")
    if kind not in _SUBJECTS:
        return [not_supported(f"{at}.kind", kind, tuple(_SUBJECTS))]
    field = _SUBJECTS[kind]
    found = (
        []
        if subject.get(field) is not None
        else [required(f"{at}.{field}", f"{field} is required when subject kind is '{kind}'")]
    )
    if subject.get(field) is not None and not subject[field].get("name"):
        found.append(required(f"{at}.{field}.name"))
    if kind == "ServiceAccount" and subject.get(field) is not None and not subject[field].get("namespace"):
        found.append(required(f"{at}.{field}.namespace", "must specify namespace for service account"))
    text = "{0} is forbidden when subject kind is not '{1}'"
    others = ((f, k) for k, f in _SUBJECTS.items() if k != kind and subject.get(f) is not None)
    return found + [forbidden(f"{at}.{f}", text.format(f, k)) for f, k in others]


def _rule(at: str, rule: Obj) -> list[FieldError]:
    found: list[FieldError] = []
    subjects, resources = rule.get("subjects") or [], rule.get("resourceRules") or []
    if not subjects:
        found.append(required(f"{at}.subjects", "subjects must contain at least one value"))
    for i, subject in enumerate(subjects):
        found += _subject(f"{at}.subjects[{i}]", subject)
    if not resources and not rule.get("nonResourceRules"):
        found.append(required(at, "at least one of resourceRules and nonResourceRules has to be non-empty"))
    for i, resource in enumerate(resources):
        own = f"{at}.resourceRules[{i}]"
        found += _verbs(own, resource)
        for field, word in (("apiGroups", "api group"), ("resources", "resource")):
            found += _several(own, resource, field, f"resource rules must supply at least one {word}")
        if not resource.get("namespaces") and not resource.get("clusterScope"):
            text = "resource rules that are not cluster scoped must supply at least one namespace"
            found.append(required(f"{own}.namespaces", text))
    for i, path_rule in enumerate(rule.get("nonResourceRules") or ()):
        own = f"{at}.nonResourceRules[{i}]"
        found += _verbs(own, path_rule)
        text = "nonResourceURLs must contain at least one value"
        found += _several(own, path_rule, "nonResourceURLs", text)
        for n, url in enumerate(path_rule.get("nonResourceURLs") or ()):
            found += _url(f"{own}.nonResourceURLs[{n}]", url)
    return found


def _verbs(at: str, rule: Obj) -> list[FieldError]:
    verbs = rule.get("verbs") or []
    found = _several(at, rule, "verbs", "verbs must contain at least one value")
    unknown = [] if "*" in verbs else [v for v in verbs if v not in _VERBS and v not in _PATH_VERBS]
    return found + ([not_supported(f"{at}.verbs", verbs, (*sorted(_VERBS), "*"))] if unknown else [])


def _several(at: str, rule: Obj, field: str, text: str) -> list[FieldError]:
    """At least one value, and `*` alone."""
    values = rule.get(field) or []
    if not values:
        return [required(f"{at}.{field}", text)]
    if "*" in values and len(values) > 1:
        word = _WORDS[field]
        return [invalid(f"{at}.{field}", values, f"if '*' is present, must not specify other {word}")]
    return []


def _url(at: str, url: str) -> list[FieldError]:
    if url == "*":
        return []
    if not url:
        return [invalid(at, url, "must not be empty")]
    if not url.startswith("/"):
        return [invalid(at, url, "must start with slash")]
    if " " in url:
        return [invalid(at, url, "must not contain white-space")]
    if "//" in url:
        return [invalid(at, url, "must not contain double slash")]
    if "*" in url and url.index("*") != len(url) - 1:
        return [invalid(at, url, "wildcard can only do suffix matching")]
    if url.endswith("*") and not url.endswith("/*"):
        return [invalid(at, url, "wildcard can only do suffix matching")]
    return []


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    spec = obj["spec"]
    found: list[FieldError] = []
    precedence = spec.get("matchingPrecedence", 0)
    if precedence <= 0:
        found.append(invalid("spec.matchingPrecedence", precedence, "must be a positive value"))
    if precedence > _MAX_PRECEDENCE:
        found.append(invalid("spec.matchingPrecedence", precedence, f"must not be greater than {_MAX_PRECEDENCE}"))
    if precedence == 1 and obj["metadata"].get("name") != "exempt":
        text = "only the schema named 'exempt' may have matchingPrecedence 1"
        found.append(invalid("spec.matchingPrecedence", precedence, text))
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        shown = GoText(orjson.dumps({"Type": method.get("type", "")}).decode())
        found.append(not_supported("spec.distinguisherMethod.type", shown, _METHODS))
    level = (spec.get("priorityLevelConfiguration") or {}).get("name", "")
    at = "spec.priorityLevelConfiguration.name"
    if not level:
        found.append(required(at, "must reference a priority level"))
    else:
        found += check(at, level, name_is_dns_subdomain(level, False))
    for i, rule in enumerate(spec.get("rules") or ()):
        found += _rule(f"spec.rules[{i}]", rule)
    name = obj["metadata"].get("name", "")
    fixed = _mandatory().get(name)
    if fixed is not None and spec != fixed:
        found.append(invalid("spec", _go(spec), f"spec of '{name}' must equal the fixed value"))
    return found


@lru_cache(maxsize=1)
def _mandatory() -> dict[str, Obj]:
    """The specs that nobody may change."""
    found = {
        o["metadata"]["name"]: o["spec"] for plural, o in flowcontrol.objects(36, "v1", "") if plural == "flowschemas"
    }
    return {name: found[name] for name in ("exempt", "catch-all")}


def _go(spec: Obj) -> Obj:
    """The spec as Go prints the internal type."""
    method = spec.get("distinguisherMethod")
    return {
        "PriorityLevelConfiguration": {"Name": (spec.get("priorityLevelConfiguration") or {}).get("name", "")},
        "MatchingPrecedence": spec.get("matchingPrecedence", 0),
        "DistinguisherMethod": None if method is None else {"Type": method.get("type", "")},
        "Rules": [_go_rule(rule) for rule in spec["rules"]] if spec.get("rules") else None,
    }


def _go_rule(rule: Obj) -> Obj:
    resources = [
        {
            "Verbs": r.get("verbs"),
            "APIGroups": r.get("apiGroups"),
            "Resources": r.get("resources"),
            "ClusterScope": bool(r.get("clusterScope")),
            "Namespaces": r.get("namespaces"),
        }
        for r in rule.get("resourceRules") or ()
    ]
    paths = [
        {"Verbs": r.get("verbs"), "NonResourceURLs": r.get("nonResourceURLs")}
        for r in rule.get("nonResourceRules") or ()
    ]
    subjects = [_go_subject(s) for s in rule.get("subjects") or ()]
    return {"Subjects": subjects or None, "ResourceRules": resources or None, "NonResourceRules": paths or None}


def _go_subject(subject: Obj) -> Obj:
    user, group, account = (subject.get(k) for k in ("user", "group", "serviceAccount"))
    return {
        "Kind": subject.get("kind", ""),
        "User": None if user is None else {"Name": user.get("name", "")},
        "Group": None if group is None else {"Name": group.get("name", "")},
        "ServiceAccount": None
        if account is None
        else {"Namespace": account.get("namespace", ""), "Name": account.get("name", "")},
    }


def _dangling(obj: Obj) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    found = next((c for c in conditions if c.get("type") == "Dangling"), None)
    return found.get("status", "") if found else "False" if not conditions else "?"


STRATEGY = Strategy(
    default=_default,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    name=name_is_dns_subdomain,
    generation=True,
    printer=table(
        NAME,
        column("PriorityLevel", path("spec", "priorityLevelConfiguration", "name")),
        column("MatchingPrecedence", path("spec", "matchingPrecedence", default=0)),
        column("DistinguisherMethod", path("spec", "distinguisherMethod", "type", default="<none>")),
        AGE,
        column("MissingPL", _dangling),
    ),
)
