"""RoleBinding: a role reference and subjects.

Stands for pkg/registry/rbac/rolebinding.
"""

from __future__ import annotations

from fakeapi.names import name_is_path_segment
from fakeapi.strategies.base import Obj, Strategy
from fakeapi.strategies.cells import AGE, NAME, column, table
from fakeapi.strategies.rbacrules import check_binding, check_binding_update, default_binding, names_of


def _role(obj: Obj) -> str:
    reference = obj.get("roleRef") or {}
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


STRATEGY = Strategy(
    default=default_binding,
    validate=lambda obj, ctx: check_binding(obj, namespaced=True),
    validate_update=lambda new, old, ctx: check_binding_update(new, old, namespaced=True),
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
