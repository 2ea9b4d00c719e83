"""The provider's own configuration: what it takes, and what it falls back on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi.provider.experimental.provider import CheckFailure

from lab.plugins.vault.check import unexpected
from lab.plugins.vault.schema import Plain, trim

_STRINGS = {"address", "token", "tokenName", "caCertFile", "caCertDir", "namespace"}
_BOOLEANS = {"skipTlsVerify", "skipChildToken", "skipGetVaultVersion"}
_INTEGERS = {"maxRetries", "maxRetriesCcc", "maxLeaseTtlSeconds"}
_IGNORED = {"version", "pluginDownloadURL", "vaultVersionOverride"}
KNOWN = _STRINGS | _BOOLEANS | _INTEGERS | _IGNORED
"""The provider arguments that this plugin takes."""

_OFFICIAL_ONLY = {
    "addAddressToEnv",
    "clientAuth",
    "headers",
    "setNamespaceFromToken",  # and what it turns off differs from release to release
    "tlsServerName",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to reach Vault. TTL in seconds; `verify` is what requests takes: a path or a flag.

    `lookup_namespace` is where the token is looked up: as in Vault's own client, what the environment says.
    """

    address: str
    token: str = field(repr=False)
    namespace: str = ""
    lookup_namespace: str = ""
    verify: str | bool = True
    max_retries: int = 2
    child_token: bool = True
    display_name: str = "terraform"
    child_token_ttl: int = 1200


def failures(inputs: Plain) -> list[CheckFailure]:
    """Return the arguments of the provider that this plugin can't honour."""
    return [
        CheckFailure(
            name,
            f'the lab\'s own vault plugin does not support "{name}": use a token '
            "(VAULT_TOKEN), or run where the official plugin can be had"
            if name.startswith("authLogin") or name in _OFFICIAL_ONLY
            else unexpected(name, KNOWN),
        )
        for name in inputs
        if name not in KNOWN
    ]


def resolve(inputs: Plain, environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings from arguments, else the environment, as the official plugin does.

    Address and token may come out empty: the official plugin, too, complains only once it has to
    talk to Vault. The token also comes from `~/.vault-token`, where `bao login` leaves it.
    """

    def text(name: str, variable: str) -> str:
        return str(inputs.get(name) or environment.get(variable) or "")

    def flag(name: str, variable: str, default: bool) -> bool:
        value = inputs.get(name)
        given = environment.get(variable) if value is None else value
        return default if given is None else str(given).lower() in ("1", "true", "t")

    def number(name: str, variable: str, default: int) -> int:
        value = _decoded(inputs.get(name) or environment.get(variable))
        return value if isinstance(value, int) else default

    ca = text("caCertFile", "VAULT_CACERT") or text("caCertDir", "VAULT_CAPATH")
    insecure = flag("skipTlsVerify", "VAULT_SKIP_VERIFY", False)
    return Settings(
        address=text("address", "VAULT_ADDR").rstrip("/"),
        token=text("token", "VAULT_TOKEN") or _token_file(environment),
        namespace=trim(text("namespace", "VAULT_NAMESPACE")),
        lookup_namespace=trim(environment.get("VAULT_NAMESPACE")),
        verify=False if insecure else ca or True,
        max_retries=number("maxRetries", "VAULT_MAX_RETRIES", 2),
        child_token=not flag("skipChildToken", "TERRAFORM_VAULT_SKIP_CHILD_TOKEN", False),
        display_name=text("tokenName", "VAULT_TOKEN_NAME") or "terraform",
        child_token_ttl=number("maxLeaseTtlSeconds", "TERRAFORM_VAULT_MAX_TTL", 1200),
    )


def _decoded(value: Any) -> Any:
    """Provider arguments arrive as JSON in a string, whatever their type."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _token_file(environment: Mapping[str, str]) -> str:
    home = environment.get("HOME")
    file = Path(home, ".vault-token") if home else None
    return file.read_text().strip() if file and file.is_file() else ""
