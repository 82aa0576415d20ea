"""What roles and bindings have in common: rules, role references, subjects.

Stands for pkg/apis/rbac/validation and the defaults of pkg/apis/rbac/v1. Escalation checks are admission's (access).
"""

from __future__ import annotations

from fakeapi.errors import FieldError, invalid, not_supported, required
from fakeapi.gofmt import GoText, go_value
from fakeapi.names import check, check_label_selector, is_path_segment, name_is_dns_subdomain, name_is_path_segment
from fakeapi.strategies.base import Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table

GROUP = "rbac.authorization.k8s.io"
_SUBJECT_GROUPS = {"ServiceAccount": "", "User": GROUP, "Group": GROUP}


def check_rules(obj: Obj, *, namespaced: bool) -> list[FieldError]:
    """ValidatePolicyRule of every rule."""
    found: list[FieldError] = []
    for i, rule in enumerate(obj.get("rules") or ()):
        at = f"rules[{i}]"
        if not rule.get("verbs"):
            found.append(required(f"{at}.verbs", "verbs must contain at least one value"))
        urls = rule.get("nonResourceURLs")
        if urls:
            if namespaced:
                text = "namespaced rules cannot apply to non-resource URLs"
                found.append(invalid(f"{at}.nonResourceURLs", urls, text))
            if any(rule.get(f) for f in ("apiGroups", "resources", "resourceNames")):
                text = "rules cannot apply to both regular resources and non-resource URLs"
                found.append(invalid(f"{at}.nonResourceURLs", urls, text))
            continue
        if not rule.get("apiGroups"):
            found.append(required(f"{at}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            found.append(required(f"{at}.resources", "resource rules must supply at least one resource"))
    return found


def check_aggregation(obj: Obj) -> list[FieldError]:
    """ClusterRole.aggregationRule."""
    aggregation = obj.get("aggregationRule")
    if aggregation is None:
        return []
    at = "aggregationRule.clusterRoleSelectors"
    selectors = aggregation.get("clusterRoleSelectors") or []
    if not selectors:
        return [required(at, "at least one clusterRoleSelector required if aggregationRule is non-nil")]
    return [e for i, s in enumerate(selectors) for e in check_label_selector(f"{at}[{i}]", s)]


def default_binding(obj: Obj) -> None:
    """SetDefaults_ClusterRoleBinding, RoleBinding and Subject."""
    reference = obj["roleRef"] = obj.get("roleRef") or {}
    if not reference.get("apiGroup"):
        reference["apiGroup"] = GROUP
    for subject in obj.get("subjects") or ():
        if not subject.get("apiGroup") and _SUBJECT_GROUPS.get(subject.get("kind", "")):
            subject["apiGroup"] = GROUP


def _subject(at: str, subject: Obj, *, namespaced: bool) -> list[FieldError]:
    kind, name, group = (subject.get(f, "") for f in ("kind", "name", "apiGroup"))
    found = [] if name else [required(f"{at}.name")]
    wanted = _SUBJECT_GROUPS.get(kind)
    if wanted is None:
        return [*found, not_supported(f"{at}.kind", kind, tuple(_SUBJECT_GROUPS))]
    if kind == "ServiceAccount":
        if name:
            found += check(f"{at}.name", name, name_is_dns_subdomain(name, False))
        if not namespaced and not subject.get("namespace"):
            found.append(required(f"{at}.namespace"))
    if group != wanted:
        found.append(not_supported(f"{at}.apiGroup", group, (wanted,)))
    return found


def check_binding(obj: Obj, *, namespaced: bool) -> list[FieldError]:
    """ValidateRoleBinding and ValidateClusterRoleBinding."""
    reference = obj.get("roleRef") or {}
    group, kind, name = (reference.get(f, "") for f in ("apiGroup", "kind", "name"))
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    found: list[FieldError] = []
    if group != GROUP:
        found.append(not_supported("roleRef.apiGroup", group, (GROUP,)))
    if kind not in kinds:
        found.append(not_supported("roleRef.kind", kind, kinds))
    if not name:
        found.append(required("roleRef.name"))
    else:
        found += check("roleRef.name", name, is_path_segment(name))
    for i, subject in enumerate(obj.get("subjects") or ()):
        found += _subject(f"subjects[{i}]", subject, namespaced=namespaced)
    return found


def check_binding_update(new: Obj, old: Obj, *, namespaced: bool) -> list[FieldError]:
    """A binding's roleRef never changes."""
    found = check_binding(new, namespaced=namespaced)
    if new.get("roleRef") != old.get("roleRef"):
        reference = new.get("roleRef") or {}
        fields = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))
        shown = GoText(go_value({k: reference.get(f, "") for k, f in fields}))
        found.append(invalid("roleRef", shown, "cannot change roleRef"))
    return found


def names_of(obj: Obj, kind: str) -> str:
    """The subjects of one kind, as the wide columns list them."""
    found = []
    for subject in obj.get("subjects") or ():
        if subject.get("kind") == kind:
            name = subject.get("name", "")
            found.append(f"{subject.get('namespace', '')}/{name}" if kind == "ServiceAccount" else name)
    return ", ".join(found)


def _role(obj: Obj) -> str:
    reference = obj.get("roleRef") or {}
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


def binding_strategy(*, namespaced: bool) -> Strategy:
    """RoleBindings' and ClusterRoleBindings' rules, which differ in what they may refer to."""
    return Strategy(
        default=default_binding,
        validate=lambda obj, ctx: check_binding(obj, namespaced=namespaced),
        validate_update=lambda new, old, ctx: check_binding_update(new, old, namespaced=namespaced),
        name=name_is_path_segment,
        printer=table(
            NAME,
            column("Role", _role),
            AGE,
            column("Users", lambda o: names_of(o, "User"), wide=True),
            column("Groups", lambda o: names_of(o, "Group"), wide=True),
            column("ServiceAccounts", lambda o: names_of(o, "ServiceAccount"), wide=True),
        ),
        create_on_update=True,
    )
