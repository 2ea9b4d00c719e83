"""The `token*` arguments that every auth role has."""

from __future__ import annotations

from lab.plugins.vault.schema import Field

TOKEN_FIELDS: dict[str, Field] = {
    "tokenBoundCidrs": Field(kind="set"),
    "tokenExplicitMaxTtl": Field(kind="integer"),
    "tokenMaxTtl": Field(kind="integer"),
    "tokenNoDefaultPolicy": Field(kind="boolean"),
    "tokenNumUses": Field(kind="integer"),
    "tokenPeriod": Field(kind="integer"),
    "tokenPolicies": Field(kind="set"),
    "tokenTtl": Field(kind="integer"),
    "tokenType": Field(default="default"),
}
"""TTLs and periods in seconds; CIDRs and policies in any order."""
