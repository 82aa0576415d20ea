"""ClusterRole: rules and aggregation.

Stands for pkg/registry/rbac/clusterrole. Its table shows when it was made, nothing else.
"""

from __future__ import annotations

from fakeapi.errors import FieldError
from fakeapi.names import name_is_path_segment
from fakeapi.strategies.base import Context, Obj, Strategy
from fakeapi.strategies.rbacrules import check_aggregation, check_rules


def _validate(obj: Obj, ctx: Context) -> list[FieldError]:
    return check_rules(obj, namespaced=False) + check_aggregation(obj)


STRATEGY = Strategy(
    validate=_validate,
    validate_update=lambda new, old, ctx: _validate(new, ctx),
    name=name_is_path_segment,
    create_on_update=True,
)
