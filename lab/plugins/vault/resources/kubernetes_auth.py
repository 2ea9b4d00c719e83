"""`vault.kubernetes.AuthBackendConfig` and `AuthBackendRole`, at a mount of type `kubernetes`."""

from __future__ import annotations

from lab.plugins.vault.handler import Entry
from lab.plugins.vault.schema import NAMESPACE, Field, Schema
from lab.plugins.vault.tokens import TOKEN_FIELDS

_BACKEND = Field(default="kubernetes", replace=True, sent=False)

CONFIG = Entry(
    kind="Kubernetes auth configuration",
    pattern="auth/<backend>/config",
    deletable=False,
    schema=Schema(
        type="vault:kubernetes/authBackendConfig:AuthBackendConfig",
        identity=("backend", "namespace"),
        fields={
            "backend": _BACKEND,
            "kubernetesHost": Field(required=True),
            "kubernetesCaCert": Field(computed=True),
            "tokenReviewerJwt": Field(secret=True, hidden=True),
            "pemKeys": Field(kind="list"),
            "issuer": Field(),
            "disableIssValidation": Field(kind="boolean", computed=True),
            "disableLocalCaJwt": Field(kind="boolean", computed=True),
            "useAnnotationsAsAliasMetadata": Field(kind="boolean", computed=True),
            "namespace": NAMESPACE,
        },
    ),
)
"""ID: `auth/<backend>/config`. As officially, deleting leaves it to its mount's end."""

ROLE = Entry(
    kind="Kubernetes auth role",
    pattern="auth/<backend>/role/<roleName>",
    schema=Schema(
        type="vault:kubernetes/authBackendRole:AuthBackendRole",
        identity=("backend", "roleName", "namespace"),
        fields={
            "backend": _BACKEND,
            "roleName": Field(required=True, replace=True, sent=False),
            "boundServiceAccountNames": Field(kind="set", required=True),
            "boundServiceAccountNamespaces": Field(kind="set"),
            "boundServiceAccountNamespaceSelector": Field(),
            "audience": Field(),
            "aliasNameSource": Field(computed=True),
            "namespace": NAMESPACE,
            **TOKEN_FIELDS,
        },
    ),
)
"""ID: `auth/<backend>/role/<role>`. As officially, creating overwrites a role of that name."""
