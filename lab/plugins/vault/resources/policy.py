"""`vault.Policy`: an ACL policy."""

from __future__ import annotations

from pulumi.provider.experimental.provider import CheckFailure

from lab.plugins.serve import ProviderError
from lab.plugins.vault.client import Vault
from lab.plugins.vault.handler import known_string
from lab.plugins.vault.schema import NAMESPACE, Field, Plain, Schema


class Policy:
    """ID: the policy's name, which is random after the resource's where none is given.

    As officially, creating overwrites a policy of that name unless `allowOverwrite` is false.
    """

    schema = Schema(
        type="vault:index/policy:Policy",
        identity=("name", "namespace"),
        fields={
            "name": Field(required=True, replace=True, sent=False),
            "policy": Field(required=True),
            "allowOverwrite": Field(kind="boolean", default=True, sent=False),
            "namespace": NAMESPACE,
        },
    )

    def check(self, inputs: Plain) -> list[CheckFailure]:
        """Nothing beyond the fields."""
        return []

    def resource_id(self, values: Plain) -> str:
        """Return the name."""
        return known_string(values, "name")

    def create(self, vault: Vault, values: Plain) -> None:
        """Write the policy, over another one where that is allowed."""
        name = self.resource_id(values)
        if values.get("allowOverwrite") is False and vault.read(_path(name)) is not None:
            raise ProviderError(f'policy "{name}" exists already, and allowOverwrite is false')
        vault.write(_path(name), self.schema.body(values), method="put")

    def configure(self, vault: Vault, values: Plain) -> None:
        """Nothing more to do."""

    def read(self, vault: Vault, resource_id: str, known: Plain) -> Plain | None:
        """Return name and text."""
        data = vault.read(_path(resource_id))
        return data and {"name": resource_id, "policy": data.get("policy", "")}

    def update(self, vault: Vault, resource_id: str, old: Plain, values: Plain) -> None:
        """Write the new text."""
        vault.write(_path(resource_id), self.schema.body(values), method="put")

    def delete(self, vault: Vault, resource_id: str, known: Plain) -> None:
        """Delete the policy."""
        vault.delete(_path(resource_id))


def _path(name: str) -> str:
    return f"sys/policies/acl/{name}"
