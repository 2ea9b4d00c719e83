"""`vault.Mount`: a secrets engine, such as kv version 2."""

from __future__ import annotations

from typing import Any

from pulumi.provider.experimental.provider import CheckFailure

from lab.plugins.vault.client import Vault
from lab.plugins.vault.handler import known_string
from lab.plugins.vault.schema import NAMESPACE, Field, Plain, Schema, snake, trim

_CONFIG = {
    "defaultLeaseTtlSeconds": Field(kind="integer", computed=True),
    "maxLeaseTtlSeconds": Field(kind="integer", computed=True),
    "forceNoCache": Field(kind="boolean", computed=True),
    "auditNonHmacRequestKeys": Field(kind="list", computed=True),
    "auditNonHmacResponseKeys": Field(kind="list", computed=True),
    "passthroughRequestHeaders": Field(kind="list"),
    "allowedResponseHeaders": Field(kind="list"),
    "allowedManagedKeys": Field(kind="set"),
    "delegatedAuthAccessors": Field(kind="list"),
    "listingVisibility": Field(),
    "identityTokenKey": Field(),
    "pluginVersion": Field(),
}


class Mount:
    """ID: the mount path."""

    schema = Schema(
        type="vault:index/mount:Mount",
        identity=("path", "namespace"),
        fields={
            "path": Field(required=True, replace=True),
            "type": Field(required=True, replace=True),
            "description": Field(),
            "options": Field(kind="map"),
            "local": Field(kind="boolean", replace=True),
            "sealWrap": Field(kind="boolean", replace=True, computed=True),
            "externalEntropyAccess": Field(kind="boolean", default=False, replace=True),
            "namespace": NAMESPACE,
            "accessor": Field(output=True),
            **_CONFIG,
        },
    )

    def check(self, inputs: Plain) -> list[CheckFailure]:
        """Nothing beyond the fields."""
        return []

    def resource_id(self, values: Plain) -> str:
        """Return the mount path."""
        return trim(known_string(values, "path"))

    def create(self, vault: Vault, values: Plain) -> None:
        """Mount it; a path in use is Vault's own error."""
        body = {
            "type": values["type"],
            "description": values.get("description") or "",
            "config": _config(values),
            "options": values.get("options") or {},
            "local": bool(values.get("local")),
            "seal_wrap": bool(values.get("sealWrap")),
            "external_entropy_access": bool(values.get("externalEntropyAccess")),
        }
        vault.write(f"sys/mounts/{self.resource_id(values)}", body)

    def configure(self, vault: Vault, values: Plain) -> None:
        """Nothing more to do."""

    def read(self, vault: Vault, resource_id: str, known: Plain) -> Plain | None:
        """Return the mount as Vault lists it."""
        path = trim(resource_id)
        mount = (vault.read("sys/mounts") or {}).get(f"{path}/")
        if not isinstance(mount, dict):
            return None
        config = mount.get("config") or {}
        found = {name: config.get(_vault_name(name)) for name in _CONFIG}
        return found | {
            "path": path,
            "type": mount["type"],
            "description": mount.get("description") or None,
            "options": mount.get("options") or None,
            "local": bool(mount.get("local")),
            "sealWrap": bool(mount.get("seal_wrap")),
            "externalEntropyAccess": bool(mount.get("external_entropy_access")),
            "accessor": mount.get("accessor"),
        }

    def update(self, vault: Vault, resource_id: str, old: Plain, values: Plain) -> None:
        """Tune the mount; the rest takes a replacement."""
        cleared = {
            _vault_name(name): field.unset
            for name, field in _CONFIG.items()
            if old.get(name) is not None and values.get(name) is None and not field.computed
        }
        body = cleared | _config(values) | {"description": values.get("description") or ""}
        if values.get("options"):
            body["options"] = values["options"]
        vault.write(f"sys/mounts/{trim(resource_id)}/tune", body)

    def delete(self, vault: Vault, resource_id: str, known: Plain) -> None:
        """Unmount it, with all the secrets in it."""
        vault.delete(f"sys/mounts/{trim(resource_id)}")


def _config(values: Plain) -> dict[str, Any]:
    return {
        _vault_name(name): f"{values[name]}s" if name.endswith("Seconds") else values[name]
        for name in _CONFIG
        if values.get(name) is not None
    }


def _vault_name(name: str) -> str:
    return snake(name.removesuffix("Seconds"))
