"""Where a pod may go: affinities, tolerations, spread constraints, gates.

Stands for validateAffinity, ValidateTolerations, validateTopologySpreadConstraints and the gate rules of
pkg/apis/core/validation.
"""

from __future__ import annotations

from typing import Any

from fakeapi.errors import FieldError, duplicate, forbidden, invalid, not_supported, required
from fakeapi.names import (
    check,
    check_label_selector,
    is_label_value,
    is_qualified_name,
    name_is_dns_label,
    name_is_dns_subdomain,
)

Obj = dict[str, Any]
Errors = list[FieldError]

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ACTIONS = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSION = ("Honor", "Ignore")
_IN_OR_NOT_IN = "must be specified when `operator` is 'In' or 'NotIn'"
_NO_VALUES = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
_ONE_VALUE = "must be specified single value when `operator` is 'Lt' or 'Gt'"
_BOTH = "exists in both matchLabelKeys and labelSelector"
_NO_SELECTOR = "must not be specified when labelSelector is not set"


def validate_affinity(affinity: Obj, path: str) -> Errors:
    """validateAffinity."""
    errors: Errors = []
    node = affinity.get("nodeAffinity")
    if node is not None:
        errors += _node_affinity(node, f"{path}.nodeAffinity")
    for kind in ("podAffinity", "podAntiAffinity"):
        own = affinity.get(kind)
        if own is not None:
            errors += _pod_affinity(own, f"{path}.{kind}")
    return errors


def _node_affinity(affinity: Obj, path: str) -> Errors:
    errors: Errors = []
    if affinity.get(REQUIRED) is not None:
        errors += validate_node_selector(affinity[REQUIRED], f"{path}.{REQUIRED}")
    for index, term in enumerate(affinity.get(PREFERRED) or ()):
        own = f"{path}.{PREFERRED}[{index}]"
        errors += _weight(term, own)
        errors += _node_term(term.get("preference") or {}, f"{own}.preference", values=False)
    return errors


def _weight(term: Obj, path: str) -> Errors:
    weight = term.get("weight") or 0
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def validate_node_selector(selector: Obj, path: str) -> Errors:
    """ValidateNodeSelector."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    errors: Errors = []
    for index, term in enumerate(terms):
        errors += _node_term(term, f"{path}.nodeSelectorTerms[{index}]", values=True)
    return errors


def _node_term(term: Obj, path: str, *, values: bool) -> Errors:
    errors: Errors = []
    for index, requirement in enumerate(term.get("matchExpressions") or ()):
        errors += _node_expression(requirement, f"{path}.matchExpressions[{index}]", values=values)
    for index, requirement in enumerate(term.get("matchFields") or ()):
        errors += _node_field(requirement, f"{path}.matchFields[{index}]")
    return errors


def _node_expression(requirement: Obj, path: str, *, values: bool) -> Errors:
    operator, given, key = (requirement.get(k) for k in ("operator", "values", "key"))
    given = given or []
    errors: Errors = []
    if operator in ("In", "NotIn"):
        errors += [] if given else [required(f"{path}.values", _IN_OR_NOT_IN)]
    elif operator in ("Exists", "DoesNotExist"):
        errors += [forbidden(f"{path}.values", _NO_VALUES)] if given else []
    elif operator in ("Gt", "Lt"):
        errors += [] if len(given) == 1 else [required(f"{path}.values", _ONE_VALUE)]
    else:
        errors.append(invalid(f"{path}.operator", operator or "", "not a valid selector operator"))
    errors += check(f"{path}.key", key or "", is_qualified_name(key or ""))
    if values:
        for index, value in enumerate(given):
            errors += check(f"{path}.values[{index}]", value, is_label_value(value))
    return errors


def _node_field(requirement: Obj, path: str) -> Errors:
    operator, values, key = (requirement.get(k) for k in ("operator", "values", "key"))
    errors: Errors = []
    if operator not in ("In", "NotIn"):
        errors.append(invalid(f"{path}.operator", operator or "", "not a valid selector operator"))
    elif len(values or ()) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.append(required(f"{path}.values", text))
    if key != "metadata.name":
        return [*errors, invalid(f"{path}.key", key or "", "not a valid field selector key")]
    for index, value in enumerate(values or ()):
        errors += check(f"{path}.values[{index}]", value, name_is_dns_subdomain(value, False))
    return errors


def _pod_affinity(affinity: Obj, path: str) -> Errors:
    errors: Errors = []
    for index, term in enumerate(affinity.get(REQUIRED) or ()):
        errors += _pod_term(term, f"{path}.{REQUIRED}[{index}]")
    for index, weighted in enumerate(affinity.get(PREFERRED) or ()):
        own = f"{path}.{PREFERRED}[{index}]"
        errors += _weight(weighted, own)
        errors += _pod_term(weighted.get("podAffinityTerm") or {}, f"{own}.podAffinityTerm")
    return errors


def _pod_term(term: Obj, path: str) -> Errors:
    errors: Errors = []
    for name in ("labelSelector", "namespaceSelector"):
        if term.get(name) is not None:
            errors += check_label_selector(f"{path}.{name}", term[name])
    for namespace in term.get("namespaces") or ():
        errors += check(f"{path}.namespace", namespace, name_is_dns_label(namespace, False))
    errors += _label_keys(term, path)
    topology = term.get("topologyKey") or ""
    if not topology:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    return errors + check(f"{path}.topologyKey", topology, is_qualified_name(topology))


def _label_keys(term: Obj, path: str) -> Errors:
    match, mismatch = term.get("matchLabelKeys") or [], term.get("mismatchLabelKeys") or []
    selector = term.get("labelSelector")
    errors: Errors = []
    for name, keys in (("matchLabelKeys", match), ("mismatchLabelKeys", mismatch)):
        if keys and selector is None:
            errors.append(forbidden(f"{path}.{name}", _NO_SELECTOR))
        else:
            for index, key in enumerate(keys):
                errors += check(f"{path}.{name}[{index}]", key, is_qualified_name(key))
    if match and selector is not None:
        # prepare_create has added an expression for each key: a second one is the client's.
        seen = set(selector.get("matchLabels") or ())
        for expression in selector.get("matchExpressions") or ():
            key = expression.get("key")
            if key in match and key in seen:
                errors.append(invalid(f"{path}[{match.index(key)}]", key, _BOTH))
            seen.add(key)
    text = "exists in both matchLabelKeys and mismatchLabelKeys"
    both = [(index, key) for index, key in enumerate(match) if key in mismatch]
    return errors + [invalid(f"{path}.matchLabelKeys[{index}]", key, text) for index, key in both]


def validate_tolerations(tolerations: list[Obj], path: str) -> Errors:
    """ValidateTolerations."""
    errors: Errors = []
    for index, toleration in enumerate(tolerations):
        errors += _toleration(toleration, f"{path}[{index}]")
    return errors


def _toleration(toleration: Obj, path: str) -> Errors:
    key, operator, value, effect = (toleration.get(k) or "" for k in ("key", "operator", "value", "effect"))
    errors: Errors = check(f"{path}.key", key, is_qualified_name(key)) if key else []
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.append(invalid(f"{path}.operator", operator, text))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.append(invalid(f"{path}.effect", effect, text))
    if operator in ("", "Equal"):
        bad = is_label_value(value)
        errors += [invalid(f"{path}.operator", value, ";".join(bad))] if bad else []
    elif operator == "Exists":
        text = "value must be empty when `operator` is 'Exists'"
        errors += [invalid(f"{path}.operator", value, text)] if value else []
    else:
        errors.append(not_supported(f"{path}.operator", operator, ("Equal", "Exists")))
    if effect and effect not in TAINT_EFFECTS:
        errors.append(not_supported(f"{path}.effect", effect, TAINT_EFFECTS))
    return errors


def validate_spread(constraints: list[Obj], path: str) -> Errors:
    """validateTopologySpreadConstraints."""
    errors: Errors = []
    for index, constraint in enumerate(constraints):
        errors += _constraint(constraint, constraints[index + 1 :], f"{path}[{index}]")
    return errors


def _constraint(constraint: Obj, others: list[Obj], path: str) -> Errors:
    skew, key, action = (constraint.get(k) for k in ("maxSkew", "topologyKey", "whenUnsatisfiable"))
    errors: Errors = []
    if (skew or 0) <= 0:
        errors.append(invalid(f"{path}.maxSkew", skew or 0, "must be greater than zero"))
    if not key:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    if action not in _ACTIONS:
        errors.append(not_supported(f"{path}.whenUnsatisfiable", action or "", _ACTIONS))
    if any((o.get("topologyKey"), o.get("whenUnsatisfiable")) == (key, action) for o in others):
        where = f"{path}.{{topologyKey, whenUnsatisfiable}}"
        errors.append(duplicate(where, f"{{{key or ''}, {action or ''}}}"))
    domains = constraint.get("minDomains")
    if domains is not None and domains <= 0:
        errors.append(invalid(f"{path}.minDomains", domains, "must be greater than zero"))
    if domains is not None and action != "DoNotSchedule":
        text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action or ''}"
        errors.append(invalid(f"{path}.minDomains", domains, text))
    for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        policy = constraint.get(name)
        if policy is not None and policy not in _INCLUSION:
            errors.append(not_supported(f"{path}.{name}", policy, _INCLUSION))
    errors += _spread_keys(constraint, f"{path}.matchLabelKeys")
    return errors + check_label_selector(f"{path}.labelSelector", constraint.get("labelSelector"))


def _spread_keys(constraint: Obj, path: str) -> Errors:
    keys, selector = constraint.get("matchLabelKeys") or [], constraint.get("labelSelector")
    if not keys:
        return []
    errors: Errors = []
    if selector is None:
        errors.append(forbidden(path, _NO_SELECTOR))
    # Keys that prepare_create turned into expressions are there once; what the client wrote as well is there twice.
    labels = set((selector or {}).get("matchLabels") or ())
    chosen = [e.get("key") for e in (selector or {}).get("matchExpressions") or ()]
    for index, key in enumerate(keys):
        errors += check(f"{path}[{index}]", key, is_qualified_name(key))
        if (key in labels and key in chosen) or chosen.count(key) > 1:
            errors.append(invalid(f"{path}[{index}]", key, _BOTH))
    return errors


def validate_gates(gates: list[Obj], path: str) -> Errors:
    """validateSchedulingGates."""
    errors: Errors = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        name = gate.get("name") or ""
        errors += check(f"{path}[{index}]", name, is_qualified_name(name))
        if name in seen:
            errors.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
    return errors
