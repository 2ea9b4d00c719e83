"""`vault.Namespace`: Vault Enterprise has them, and so has OpenBao."""

from __future__ import annotations

import time

from pulumi.provider.experimental.provider import CheckFailure

from lab.plugins.serve import ProviderError
from lab.plugins.vault.check import slash_failures
from lab.plugins.vault.client import Vault
from lab.plugins.vault.handler import known_string
from lab.plugins.vault.schema import NAMESPACE, Field, Plain, Schema, trim

_GONE_WITHIN_SECONDS = 60.0
_PAUSE_SECONDS = 0.2


class Namespace:
    """ID: the path with a slash at its end, as Vault writes it; an import may leave that out."""

    schema = Schema(
        type="vault:index/namespace:Namespace",
        identity=("path", "namespace"),
        fields={
            "path": Field(required=True, replace=True, sent=False),
            "customMetadata": Field(kind="map", computed=True),
            "namespace": NAMESPACE,
            "pathFq": Field(computed=True, sent=False),
            "namespaceId": Field(output=True, sent=False),
        },
    )

    def check(self, inputs: Plain) -> list[CheckFailure]:
        """Refuse a path that ends in a slash."""
        return slash_failures(inputs, "path")

    def resource_id(self, values: Plain) -> str:
        """Return the path with its final slash."""
        return trim(known_string(values, "path")) + "/"

    def create(self, vault: Vault, values: Plain) -> None:
        """Create the namespace; one that exists is an error (OpenBao would just return it)."""
        resource_id = self.resource_id(values)
        found = vault.read(_path(resource_id))
        if found and found.get("tainted"):
            _await_gone(vault, resource_id)
        elif found:
            raise ProviderError(f'namespace "{trim(resource_id)}" exists already')
        vault.write(_path(resource_id), self.schema.body(values))

    def configure(self, vault: Vault, values: Plain) -> None:
        """Nothing more to do."""

    def read(self, vault: Vault, resource_id: str, known: Plain) -> Plain | None:
        """Return path, ID and metadata; one that is being deleted is gone."""
        data = vault.read(_path(resource_id))
        if data is None or data.get("tainted"):
            return None
        path = trim(resource_id)
        parent = trim(known.get("namespace"))
        return {
            "path": path,
            "pathFq": f"{parent}/{path}" if parent else path,
            "namespaceId": data.get("id"),
            "customMetadata": data.get("custom_metadata") or None,
        }

    def update(self, vault: Vault, resource_id: str, old: Plain, values: Plain) -> None:
        """Change the metadata: a merge patch, in which null removes."""
        before, after = old.get("customMetadata") or {}, values.get("customMetadata") or {}
        patch = {**dict.fromkeys(before), **after}
        vault.write(_path(resource_id), {"custom_metadata": patch}, method="patch")

    def delete(self, vault: Vault, resource_id: str, known: Plain) -> None:
        """Delete it and wait until it is gone: Vault deletes namespaces in the background."""
        vault.delete(_path(resource_id))
        _await_gone(vault, resource_id)


def _path(resource_id: str) -> str:
    return f"sys/namespaces/{trim(resource_id)}"


def _await_gone(vault: Vault, resource_id: str) -> None:
    until = time.monotonic() + _GONE_WITHIN_SECONDS
    while vault.read(_path(resource_id)) is not None:
        if time.monotonic() > until:
            raise ProviderError(f'namespace "{trim(resource_id)}" still exists')
        time.sleep(_PAUSE_SECONDS)
