"""The resource types that this plugin covers, one file each, by Pulumi token."""

from __future__ import annotations

from lab.plugins.vault.handler import Handler
from lab.plugins.vault.resources import (
    auth_backend,
    jwt_auth_backend,
    kubernetes_auth,
    mount,
    namespace,
    policy,
)
from lab.plugins.vault.resources.jwt_role import JWT_ROLE

HANDLERS: dict[str, Handler] = {
    handler.schema.type: handler
    for handler in (
        policy.Policy(),
        mount.Mount(),
        namespace.Namespace(),
        auth_backend.AuthBackend(),
        jwt_auth_backend.JwtAuthBackend(),
        JWT_ROLE,
        kubernetes_auth.CONFIG,
        kubernetes_auth.ROLE,
    )
}
"""Every covered resource type, by token."""
