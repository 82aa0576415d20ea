"""ClusterRoleBinding: a role reference and subjects.

Stands for pkg/registry/rbac/clusterrolebinding.
"""

from __future__ import annotations

from fakeapi.strategies.rbacrules import binding_strategy

STRATEGY = binding_strategy(namespaced=False)
