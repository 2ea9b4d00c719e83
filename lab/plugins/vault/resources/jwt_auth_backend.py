"""`vault.jwt.AuthBackend`: the JWT/OIDC auth method and its configuration."""

from __future__ import annotations

from typing import Any

from pulumi.provider.experimental.provider import CheckFailure

from lab.plugins.vault import auth_mounts
from lab.plugins.vault.check import slash_failures
from lab.plugins.vault.client import Vault
from lab.plugins.vault.handler import conflicts, from_vault, known_string
from lab.plugins.vault.schema import NAMESPACE, Field, Plain, Schema, snake, trim

_SOURCES = ("oidcDiscoveryUrl", "jwksUrl", "jwtValidationPubkeys")
_CONFIG = {
    "boundIssuer": Field(),
    "defaultRole": Field(),
    "jwksCaPem": Field(),
    "jwksUrl": Field(),
    "jwtSupportedAlgs": Field(kind="list"),
    "jwtValidationPubkeys": Field(kind="list"),
    "namespaceInState": Field(kind="boolean", default=True),
    "oidcClientId": Field(),
    "oidcClientSecret": Field(secret=True, hidden=True),
    "oidcDiscoveryCaPem": Field(),
    "oidcDiscoveryUrl": Field(),
    "oidcResponseMode": Field(),
    "oidcResponseTypes": Field(kind="list"),
    "providerConfig": Field(kind="map"),
}
_NUMBERS = {"groups_recurse_max_depth"}
_FLAGS = {"fetch_groups", "fetch_user_info"}


class JwtAuthBackend:
    """ID: the mount path, "jwt" by default.

    Vault verifies discovery and JWKS addresses when it is configured: where they can't be reached
    the mount exists without configuration, and the next `up` configures it (as officially).
    """

    schema = Schema(
        type="vault:jwt/authBackend:AuthBackend",
        identity=("path", "namespace"),
        fields={
            "path": Field(default="jwt", replace=True, sent=False),
            "type": Field(default="jwt", replace=True, sent=False, choices=("jwt", "oidc")),
            "description": Field(sent=False),
            "local": Field(kind="boolean", default=False, replace=True, sent=False),
            "disableRemount": Field(kind="boolean", sent=False),
            "tune": auth_mounts.TUNE,
            "namespace": NAMESPACE,
            "accessor": Field(output=True, sent=False),
            **_CONFIG,
        },
    )

    def check(self, inputs: Plain) -> list[CheckFailure]:
        """Ask for exactly one source of keys, and refuse a path that ends in a slash."""
        required = not inputs.get("providerConfig")
        return slash_failures(inputs, "path") + conflicts(inputs, _SOURCES, required=required)

    def resource_id(self, values: Plain) -> str:
        """Return the mount path."""
        return trim(known_string(values, "path"))

    def create(self, vault: Vault, values: Plain) -> None:
        """Mount it; a path in use is Vault's own error."""
        auth_mounts.enable(vault, self.resource_id(values), str(values["type"]), values)

    def configure(self, vault: Vault, values: Plain) -> None:
        """Write configuration and tuning to the new mount."""
        path = self.resource_id(values)
        vault.write(f"auth/{path}/config", self._config(values))
        auth_mounts.tune(vault, path, {**values, "tune": None}, values)

    def read(self, vault: Vault, resource_id: str, known: Plain) -> Plain | None:
        """Return mount and configuration; the client secret stays the one last given."""
        path = trim(resource_id)
        mount = auth_mounts.find(vault, path)
        if mount is None:
            return None
        config = vault.read(f"auth/{path}/config") or {}
        return from_vault(self.schema, config) | {
            "path": path,
            "type": mount["type"],
            "description": mount.get("description") or None,
            "local": bool(mount.get("local")),
            "accessor": mount.get("accessor"),
            "tune": auth_mounts.tuning(vault, path, known),
            "providerConfig": _strings(config.get("provider_config") or {}) or None,
        }

    def update(self, vault: Vault, resource_id: str, old: Plain, values: Plain) -> None:
        """Write the whole configuration: Vault keeps nothing of the one before."""
        path = trim(resource_id)
        vault.write(f"auth/{path}/config", self._config(values))
        auth_mounts.tune(vault, path, old, values)

    def delete(self, vault: Vault, resource_id: str, known: Plain) -> None:
        """Unmount it."""
        auth_mounts.disable(vault, trim(resource_id))

    def _config(self, values: Plain) -> dict[str, Any]:
        body = self.schema.body(values)
        provider_config = values.get("providerConfig")
        if provider_config:
            body["provider_config"] = {
                name: _typed(snake(name), value) for name, value in provider_config.items()
            }
        return body


def _typed(name: str, value: str) -> object:
    """Pulumi has a map of strings here; Vault wants numbers and booleans."""
    if name in _NUMBERS:
        return int(value)
    return str(value).lower() == "true" if name in _FLAGS else value


def _strings(config: dict[str, Any]) -> dict[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in config.items()
    }
