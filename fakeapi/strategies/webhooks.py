"""What webhook configurations and admission policies have in common: rules, client configs, match resources.

Stands for pkg/apis/admissionregistration (validation and v1 defaults) and apiserver's util/webhook validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from fakeapi import gourl
from fakeapi.errors import FieldError, duplicate, invalid, not_supported, required, too_many
from fakeapi.names import (
    check,
    check_fully_qualified_name,
    check_label_selector,
    is_dns1035_label,
    is_dns1123_subdomain,
    is_path_segment,
    is_port_number,
    is_qualified_name,
)
from fakeapi.strategies.base import Context, Obj
from fakeapi.strategies.expressions import Scope

_OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
FAILURE = ("Fail", "Ignore")
MATCH = ("Equivalent", "Exact")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
REINVOCATION = ("IfNeeded", "Never")
_VERSIONS = ("v1", "v1beta1")
_MAX_CONDITIONS = 64
_FORM = "; desired format: https://host[/path]"


def default_rules(rules: Sequence[Obj]) -> None:
    """SetDefaults_Rule."""
    for rule in rules:
        if rule.get("scope") is None:
            rule["scope"] = "*"


def default_match(match: Obj) -> None:
    """SetDefaults_MatchResources."""
    if match.get("matchPolicy") is None:
        match["matchPolicy"] = "Equivalent"
    for field in ("namespaceSelector", "objectSelector"):
        if match.get(field) is None:
            match[field] = {}
    for field in ("resourceRules", "excludeResourceRules"):
        default_rules(match.get(field) or ())


def default_webhooks(obj: Obj, *, mutating: bool) -> None:
    """SetDefaults_ValidatingWebhook and SetDefaults_MutatingWebhook."""
    for hook in obj.get("webhooks") or ():
        defaults = {"failurePolicy": "Fail", "timeoutSeconds": 10} | (
            {"reinvocationPolicy": "Never"} if mutating else {}
        )
        for field, value in defaults.items():
            if hook.get(field) is None:
                hook[field] = value
        default_match(hook)
        default_rules(hook.get("rules") or ())
        default_service((hook.get("clientConfig") or {}).get("service"))


def default_service(service: Obj | None) -> None:
    """SetDefaults_ServiceReference."""
    if service is not None and service.get("port") is None:
        service["port"] = 443


def _several(at: str, values: list[str], what: str) -> list[FieldError]:
    found = [] if values else [required(at)]
    if len(values) > 1 and "*" in values:
        found.append(invalid(at, values, f"if '*' is present, must not specify other {what}"))
    return found


def check_rules(at: str, rules: Sequence[Obj]) -> list[FieldError]:
    """validateNamedRuleWithOperations of each; rules of webhooks have no resource names."""
    found: list[FieldError] = []
    for i, rule in enumerate(rules):
        own = f"{at}[{i}]"
        versions, operations = rule.get("apiVersions") or [], rule.get("operations") or []
        found += _resource_names(f"{own}.resourceNames", rule.get("resourceNames") or [])
        found += _several(f"{own}.operations", operations, "operations")
        bad = [(j, o) for j, o in enumerate(operations) if o not in _OPERATIONS]
        found += [not_supported(f"{own}.operations[{j}]", o, _OPERATIONS) for j, o in bad]
        found += _several(f"{own}.apiGroups", rule.get("apiGroups") or [], "API groups")
        found += _several(f"{own}.apiVersions", versions, "API versions")
        found += [required(f"{own}.apiVersions[{j}]") for j, v in enumerate(versions) if not v]
        found += _resources(f"{own}.resources", rule.get("resources") or [])
        scope = rule.get("scope")
        if scope is not None and scope not in _SCOPES:
            found.append(not_supported(f"{own}.scope", scope, _SCOPES))
    return found


def _resource_names(at: str, names: list[str]) -> list[FieldError]:
    found: list[FieldError] = []
    for i, name in enumerate(names):
        found += check(f"{at}[{i}]", name, is_path_segment(name))
        found += [duplicate(f"{at}[{i}]", name)] if name in names[:i] else []
    return found


def _resources(at: str, resources: list[str]) -> list[FieldError]:
    found = [] if resources else [required(at)]
    any_sub: set[str] = set()
    any_resource: set[str] = set()
    for i, item in enumerate(resources):
        if not item:
            found.append(required(f"{at}[{i}]"))
            continue
        resource, slash, sub = item.partition("/")
        if not slash:
            continue
        if resource in any_sub:
            found.append(invalid(f"{at}[{i}]", item, f"if '{resource}/*' is present, must not specify {item}"))
        if sub in any_resource:
            found.append(invalid(f"{at}[{i}]", item, f"if '*/{sub}' is present, must not specify {item}"))
        if sub == "*":
            any_sub.add(resource)
        if resource == "*":
            any_resource.add(sub)
    if len(resources) > 1 and "*/*" in resources:
        found.append(invalid(at, resources, "if '*/*' is present, must not specify other resources"))
    plain = [r for r in resources if r and "/" not in r]
    if "*" in plain and plain[-1] != "*":
        text = "if '*' is present, must not specify other resources without subresources"
        found.append(invalid(at, resources, text))
    return found


def check_url(at: str, given: str) -> list[FieldError]:
    """ValidateWebhookURL."""
    wrong = gourl.problem(given)
    if wrong:
        return [required(at, f"url must be a valid URL: {wrong}{_FORM}")]
    url = urlsplit(given)
    user, _, host = url.netloc.rpartition("@")
    rules = (
        (url.scheme != "https", url.scheme, f"'https' is the only allowed URL scheme{_FORM}"),
        (not host, "", f"host must be specified{_FORM}"),
        (bool(user), user, "user information is not permitted in the URL"),
        (bool(url.fragment), url.fragment, "fragments are not permitted in the URL"),
        (bool(url.query), url.query, "query parameters are not permitted in the URL"),
    )
    return [invalid(at, value, text) for broken, value, text in rules if broken]


def check_service(at: str, service: Obj) -> list[FieldError]:
    """ValidateWebhookService."""
    found = [required(f"{at}.{f}") for f in ("name", "namespace") if not service.get(f)]
    port = service.get("port", 443)
    found += [invalid(f"{at}.port", port, f"port is not valid: {m}") for m in is_port_number(port)]
    path = service.get("path")
    if path in (None, "", "/"):
        return found
    if path == "//":
        return [*found, invalid(f"{at}.path", path, "segment[0] may not be empty")]
    if not path.startswith("/"):
        found.append(invalid(f"{at}.path", path, "must start with a '/'"))
    for i, step in enumerate(path[1:].removesuffix("/").split("/")):
        if not step:
            found.append(invalid(f"{at}.path", path, f"segment[{i}] may not be empty"))
        else:
            found += [invalid(f"{at}.path", path, f"segment[{i}]: {m}") for m in is_dns1123_subdomain(step)]
    return found


def check_client(at: str, config: Obj) -> list[FieldError]:
    """Exactly one of url and service."""
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        return [required(at, "exactly one of url or service is required")]
    if service is not None:
        return check_service(f"{at}.service", service)
    return check_url(f"{at}.url", url or "")


def check_enum(at: str, value: str | None, allowed: Sequence[str]) -> list[FieldError]:
    """An optional value of an enumeration."""
    return [] if value is None or value in allowed else [not_supported(at, value, allowed)]


def check_selectors(at: str, owner: Obj) -> list[FieldError]:
    """namespaceSelector and objectSelector."""
    fields = ("namespaceSelector", "objectSelector")
    return [e for f in fields for e in check_label_selector(f"{at}.{f}", owner.get(f))]


def check_conditions(at: str, conditions: Sequence[Obj], *, params: bool = False) -> list[FieldError]:
    """matchConditions: names and expressions. params: whether these may use `params`."""
    found = [too_many(at, len(conditions), _MAX_CONDITIONS)] if len(conditions) > _MAX_CONDITIONS else []
    scope = Scope(params)
    seen: set[str] = set()
    for i, condition in enumerate(conditions):
        own, name = f"{at}[{i}]", condition.get("name", "")
        text = condition.get("expression", "").strip()
        found += scope.check(f"{own}.expression", text, "bool") if text else [required(f"{own}.expression")]
        if not name:
            found.append(required(f"{own}.name"))
        else:
            found += check(f"{own}.name", name, is_qualified_name(name))
            if name in seen:
                found.append(duplicate(f"{own}.name", name))
        seen.add(name)
    return found


def _review_versions(at: str, versions: list[str]) -> list[FieldError]:
    known = ", ".join(_VERSIONS)
    if not versions:
        return [required(at, f"must specify one of {known}")]
    found: list[FieldError] = []
    for i, version in enumerate(versions):
        if version in versions[:i]:
            found.append(invalid(f"{at}[{i}]", version, "duplicate version"))
            continue
        messages = is_dns1035_label(version)
        if messages:
            found.append(invalid(f"{at}[{i}]", version, ",".join(messages)))
    if not set(versions) & set(_VERSIONS):
        found.append(invalid(at, versions, f"must include at least one of {known}"))
    return found


def _webhook(at: str, hook: Obj, *, mutating: bool) -> list[FieldError]:
    found = check_fully_qualified_name(f"{at}.name", hook.get("name", ""))
    found += check_rules(f"{at}.rules", hook.get("rules") or ())
    found += check_enum(f"{at}.failurePolicy", hook.get("failurePolicy"), FAILURE)
    found += check_enum(f"{at}.matchPolicy", hook.get("matchPolicy"), MATCH)
    effects = hook.get("sideEffects")
    if effects is None:
        found.append(required(f"{at}.sideEffects", f"must specify one of {', '.join(_SIDE_EFFECTS)}"))
    found += check_enum(f"{at}.sideEffects", effects, _SIDE_EFFECTS)
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        found.append(invalid(f"{at}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds"))
    found += check_selectors(at, hook)
    if mutating:
        found += check_enum(f"{at}.reinvocationPolicy", hook.get("reinvocationPolicy"), REINVOCATION)
    found += check_client(f"{at}.clientConfig", hook.get("clientConfig") or {})
    return found + check_conditions(f"{at}.matchConditions", hook.get("matchConditions") or ())


def check_webhooks(obj: Obj, ctx: Context, *, mutating: bool) -> list[FieldError]:
    """ValidateValidatingWebhookConfiguration and its mutating twin."""
    found: list[FieldError] = []
    seen: set[str] = set()
    for i, hook in enumerate(obj.get("webhooks") or ()):
        at, name = f"webhooks[{i}]", hook.get("name", "")
        found += _webhook(at, hook, mutating=mutating)
        found += _review_versions(f"{at}.admissionReviewVersions", hook.get("admissionReviewVersions") or [])
        if name and name in seen:
            found.append(duplicate(f"{at}.name", name))
        seen.add(name)
    return found
