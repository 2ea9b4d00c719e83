"""`vault.AuthBackend`: an auth method of any type, such as `kubernetes`."""

from __future__ import annotations

from pulumi.provider.experimental.provider import CheckFailure

from lab.plugins.vault import auth_mounts
from lab.plugins.vault.check import slash_failures
from lab.plugins.vault.client import Vault
from lab.plugins.vault.handler import known_string
from lab.plugins.vault.schema import NAMESPACE, Field, Plain, Schema, trim


class AuthBackend:
    """ID: the mount path, which is the type where none is given."""

    schema = Schema(
        type="vault:index/authBackend:AuthBackend",
        identity=("path", "namespace"),
        fields={
            "type": Field(required=True, replace=True),
            "path": Field(replace=True, computed=True),
            "description": Field(),
            "local": Field(kind="boolean", replace=True),
            "disableRemount": Field(kind="boolean", sent=False),
            "tune": auth_mounts.TUNE,
            "namespace": NAMESPACE,
            "accessor": Field(output=True),
        },
    )

    def check(self, inputs: Plain) -> list[CheckFailure]:
        """Refuse a path that ends in a slash."""
        return slash_failures(inputs, "path")

    def resource_id(self, values: Plain) -> str:
        """Return the mount path."""
        return trim(values.get("path") or known_string(values, "type"))

    def create(self, vault: Vault, values: Plain) -> None:
        """Mount it; a path in use is Vault's own error."""
        auth_mounts.enable(vault, self.resource_id(values), str(values["type"]), values)

    def configure(self, vault: Vault, values: Plain) -> None:
        """Tune it."""
        auth_mounts.tune(vault, self.resource_id(values), {**values, "tune": None}, values)

    def read(self, vault: Vault, resource_id: str, known: Plain) -> Plain | None:
        """Return the mount as Vault has it."""
        path = trim(resource_id)
        mount = auth_mounts.find(vault, path)
        if mount is None:
            return None
        return {
            "type": mount["type"],
            "path": path,
            "description": mount.get("description") or None,
            "local": bool(mount.get("local")),
            "accessor": mount.get("accessor"),
            "tune": auth_mounts.tuning(vault, path, known),
        }

    def update(self, vault: Vault, resource_id: str, old: Plain, values: Plain) -> None:
        """Change description and tuning; the rest takes a replacement."""
        auth_mounts.tune(vault, trim(resource_id), old, values)

    def delete(self, vault: Vault, resource_id: str, known: Plain) -> None:
        """Unmount it."""
        auth_mounts.disable(vault, trim(resource_id))
