"""Objects of RBAC as resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding, Role, RoleBinding

RbacResource = ClusterRole | ClusterRoleBinding | Role | RoleBinding


def rbac_resource(name: str, one: Mapping[str, Any], opts: pulumi.ResourceOptions) -> RbacResource:
    """The object `one`, whose values may be outputs, by the type of its own.

    Not as a `CustomResource`, which takes no object that has more than `spec`.
    """
    if one["kind"] in ("ClusterRole", "Role"):
        role = ClusterRole if one["kind"] == "ClusterRole" else Role
        return role(name, metadata=one["metadata"], rules=one["rules"], opts=opts)
    binding = ClusterRoleBinding if one["kind"] == "ClusterRoleBinding" else RoleBinding
    return binding(
        name,
        metadata=one["metadata"],
        role_ref=one["roleRef"],
        subjects=one["subjects"],
        opts=opts,
    )
