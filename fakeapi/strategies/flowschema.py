"""FlowSchema: which requests go to which priority level.

Stands for pkg/registry/flowcontrol/flowschema, its validation and defaults.
"""

from __future__ import annotations

from functools import lru_cache

import orjson

from fakeapi.bootstrap import flowcontrol
from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from fakeapi.gofmt import GoText
from fakeapi.names import check, is_dns1123_label, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table
from fakeapi.strategies.volumeattachment import keep_spec_and_metadata

_METHODS = ("ByNamespace", "ByUser")
_SUBJECTS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_MAX_PRECEDENCE = 10000
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_WORDS = {
    "verbs": "verbs",
    "apiGroups": "api groups",
    "resources": "resources",
    "namespaces": "namespaces",
    "nonResourceURLs": "non-resource URLs",
}
_NAMESPACE = "each member of this list must be '*' or a DNS-1123 label"
_NO_NAMESPACE = "resource rules that are not cluster scoped must supply at least one namespace"


def _default(obj: Obj) -> None:
    spec = obj["spec"] = obj.get("spec") or {}
    if not spec.get("matchingPrecedence"):
        spec["matchingPrecedence"] = 1000


def _prepare_create(obj: Obj, ctx: Context) -> None:
    obj["status"] = {}


def _subject(at: str, subject: Obj) -> list[FieldError]:
    kind = subject.get("kind") or ""
    if kind not in _SUBJECTS:
        return [not_supported(f"{at}.kind", kind, sorted(_SUBJECTS))]
    field = _SUBJECTS[kind]
    own = subject.get(field)
    if own is None:
        found = [required(f"{at}.{field}", f"{field} is required when subject kind is '{kind}'")]
    else:
        found = _account(f"{at}.{field}", own) if kind == "ServiceAccount" else _named(f"{at}.{field}", own)
    text = "{0} is forbidden when subject kind is not '{1}'"
    others = ((f, k) for k, f in _SUBJECTS.items() if k != kind and subject.get(f) is not None)
    return found + [forbidden(f"{at}.{f}", text.format(f, k)) for f, k in others]


def _named(at: str, subject: Obj) -> list[FieldError]:
    return [] if subject.get("name") else [required(f"{at}.name")]


def _account(at: str, account: Obj) -> list[FieldError]:
    name, namespace = account.get("name"), account.get("namespace")
    found = _named(at, account)
    if name and name != "*":
        found += check(f"{at}.name", name, name_is_dns_subdomain(name, False))
    if not namespace:
        return [*found, required(f"{at}.namespace", "must specify namespace for service account")]
    return found + check(f"{at}.namespace", namespace, is_dns1123_label(namespace))


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
        found += _resource_rule(f"{at}.resourceRules[{i}]", resource)
    for i, path_rule in enumerate(rule.get("nonResourceRules") or ()):
        found += _path_rule(f"{at}.nonResourceRules[{i}]", path_rule)
    return found


def _resource_rule(at: str, rule: Obj) -> list[FieldError]:
    found = _verbs(at, rule)
    for field, word in (("apiGroups", "api group"), ("resources", "resource")):
        found += _several(at, rule, field, f"resource rules must supply at least one {word}")
    namespaces = rule.get("namespaces") or []
    if not namespaces and rule.get("clusterScope"):
        return found
    found += _several(at, rule, "namespaces", _NO_NAMESPACE)
    if "*" not in namespaces:
        for i, namespace in enumerate(namespaces):
            texts = [f"{_NAMESPACE}; {text}" for text in is_dns1123_label(namespace)]
            found += check(f"{at}.namespaces[{i}]", namespace, texts)
    return found


def _path_rule(at: str, rule: Obj) -> list[FieldError]:
    urls = rule.get("nonResourceURLs") or []
    found = _verbs(at, rule)
    found += _several(at, rule, "nonResourceURLs", "nonResourceURLs must contain at least one value")
    if "*" in urls:
        return found
    return found + [e for i, url in enumerate(urls) for e in _url(f"{at}.nonResourceURLs[{i}]", url)]


def _verbs(at: str, rule: Obj) -> list[FieldError]:
    verbs = rule.get("verbs") or []
    found = _several(at, rule, "verbs", "verbs must contain at least one value")
    unknown = "*" not in verbs and any(verb not in _VERBS for verb in verbs)
    return found + ([not_supported(f"{at}.verbs", verbs, _VERBS)] if unknown else [])


def _several(at: str, rule: Obj, field: str, text: str) -> list[FieldError]:
    """At least one value, and `*` alone."""
    values = rule.get(field) or []
    if not values:
        return [required(f"{at}.{field}", text)]
    if "*" in values and len(values) > 1:
        return [invalid(f"{at}.{field}", values, f"if '*' is present, must not specify other {_WORDS[field]}")]
    return []


def _url(at: str, url: str) -> list[FieldError]:
    """ValidateNonResourceURLPath."""
    if url == "/":
        return []
    stars = url.count("*")
    rules = (
        (not url, "must not be empty"),
        (not url.startswith("/"), "must start with slash"),
        (" " in url, "must not contain white-space"),
        ("//" in url, "must not contain double slash"),
        (stars > 1 or (stars == 1 and not url.endswith("/*")), "wildcard can only do suffix matching"),
    )
    return next(([invalid(at, url, text)] for broken, text in rules if broken), [])


def check_conditions(new: Obj, old: Obj, ctx: Context) -> list[FieldError]:
    """ValidateFlowSchemaStatus and ValidatePriorityLevelConfigurationStatus."""
    found: list[FieldError] = []
    seen: set[str] = set()
    for i, condition in enumerate((new.get("status") or {}).get("conditions") or ()):
        kind, at = condition.get("type") or "", f"status.conditions[{i}].type"
        if kind in seen:
            found.append(duplicate(at, kind))
        seen.add(kind)
        if not kind:
            found.append(required(at, "must not be empty"))
    return found


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
    prepare_status=keep_spec_and_metadata,
    validate_status=check_conditions,
    status_reset=("spec", "metadata"),
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
