"""FlowSchema: which requests go to which priority level.

Stands for pkg/registry/flowcontrol/flowschema, its validation and defaults.
"""

from __future__ import annotations

from fakeapi.errors import FieldError, forbidden, invalid, not_supported, required
from fakeapi.names import check, name_is_dns_subdomain
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, path, table

_METHODS = ("ByNamespace", "ByUser")
_SUBJECTS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}
_MAX_PRECEDENCE = 10000


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
        texts = (("verbs", "verbs"), ("apiGroups", "API groups"), ("resources", "resources"))
        found += [
            required(f"{own}.{f}", f"{w} must contain at least one value") for f, w in texts if not resource.get(f)
        ]
        if not resource.get("namespaces") and not resource.get("clusterScope"):
            text = "resource rules that are not cluster scoped must supply at least one namespace"
            found.append(required(f"{own}.namespaces", text))
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
        found.append(not_supported("spec.distinguisherMethod", method.get("type", ""), _METHODS))
    level = (spec.get("priorityLevelConfiguration") or {}).get("name", "")
    at = "spec.priorityLevelConfiguration.name"
    if not level:
        found.append(required(at, "must reference a priority level"))
    else:
        found += check(at, level, name_is_dns_subdomain(level, False))
    for i, rule in enumerate(spec.get("rules") or ()):
        found += _rule(f"spec.rules[{i}]", rule)
    return found


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
