"""RoleBinding: a role reference and subjects.

Stands for pkg/registry/rbac/rolebinding.
"""

from __future__ import annotations

from fakeapi.strategies.rbacrules import binding_strategy

STRATEGY = binding_strategy(namespaced=True)
