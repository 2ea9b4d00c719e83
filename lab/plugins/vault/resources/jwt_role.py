"""`vault.jwt.AuthBackendRole`: who may log in at a JWT mount, and with which policies."""

from __future__ import annotations

from lab.plugins.vault.handler import Entry
from lab.plugins.vault.schema import NAMESPACE, Field, Schema
from lab.plugins.vault.tokens import TOKEN_FIELDS

JWT_ROLE = Entry(
    kind="JWT auth role",
    pattern="auth/<backend>/role/<roleName>",
    schema=Schema(
        type="vault:jwt/authBackendRole:AuthBackendRole",
        identity=("backend", "roleName", "namespace"),
        fields={
            "backend": Field(default="jwt", replace=True, sent=False),
            "roleName": Field(required=True, replace=True, sent=False),
            "roleType": Field(replace=True, computed=True, choices=("jwt", "oidc")),
            "userClaim": Field(required=True),
            "userClaimJsonPointer": Field(kind="boolean"),
            "boundAudiences": Field(kind="set"),
            "boundSubject": Field(),
            "boundClaims": Field(kind="map"),
            "boundClaimsType": Field(computed=True, choices=("string", "glob")),
            "disableBoundClaimsParsing": Field(kind="boolean", sent=False),
            "claimMappings": Field(kind="map"),
            "groupsClaim": Field(),
            "allowedRedirectUris": Field(kind="set"),
            "oidcScopes": Field(kind="set"),
            "verboseOidcLogging": Field(kind="boolean"),
            "clockSkewLeeway": Field(kind="integer"),
            "expirationLeeway": Field(kind="integer"),
            "notBeforeLeeway": Field(kind="integer"),
            "maxAge": Field(kind="integer"),
            "namespace": NAMESPACE,
            **TOKEN_FIELDS,
        },
    ),
)
"""ID: `auth/<backend>/role/<role>`. As officially, creating overwrites a role of that name."""
