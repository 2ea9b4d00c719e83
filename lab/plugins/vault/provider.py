"""The provider: Pulumi's requests, answered by the resource types' handlers."""

from __future__ import annotations

import os

from pulumi.provider.experimental import provider as api

from lab.plugins.serve import (
    InitializationFailed,
    Properties,
    ProviderError,
    old_inputs,
    run_blocking,
)
from lab.plugins.vault import check, settings
from lab.plugins.vault.client import Connection, Vault
from lab.plugins.vault.diff import compare
from lab.plugins.vault.handler import Handler
from lab.plugins.vault.resources import HANDLERS
from lab.plugins.vault.schema import Plain, trim
from lab.plugins.vault.state import inputs_from, outputs_from
from lab.plugins.vault.values import UNKNOWN, plain, properties, property_value

VERSION = "7.14.0"
"""The official plugin's version whose behaviour is matched; Pulumi looks plugins up by it."""

IMPORT_NAMESPACE_VARIABLE = "TERRAFORM_VAULT_NAMESPACE_IMPORT"
"""The official plugin's way to name the namespace of an import."""


class VaultProvider(api.Provider):
    """Policies, namespaces, mounts, JWT and Kubernetes auth of one Vault."""

    def __init__(self) -> None:
        self._connection: Connection | None = None

    async def check_config(self, request: api.CheckRequest) -> api.CheckResponse:
        """Accept the arguments that this plugin takes; the token is a secret in any case."""
        inputs = dict(request.new_inputs)
        if "token" in inputs:
            inputs["token"] = inputs["token"].with_secret(True)
        return api.CheckResponse(inputs, settings.failures(plain(inputs)))

    async def diff_config(self, request: api.DiffRequest) -> api.DiffResponse:
        """Another way to reach Vault changes the provider and none of its resources."""
        old, new = plain(old_inputs(request) or request.old_state), plain(request.new_inputs)
        changed = [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
        return api.DiffResponse(changes=bool(changed), diffs=sorted(changed))

    async def configure(self, request: api.ConfigureRequest) -> api.ConfigureResponse:
        """Note the settings; nothing is sent before there is work to do."""
        self._connection = Connection(settings.resolve(plain(request.args)))
        return api.ConfigureResponse(
            accept_secrets=True, supports_preview=True, accept_resources=False, accept_outputs=False
        )

    async def check(self, request: api.CheckRequest) -> api.CheckResponse:
        """Validate, and add the official defaults."""
        handler = _handler(request.type)
        given = plain(request.new_inputs)
        inputs = check.with_defaults(handler.schema, given)
        if "name" in handler.schema.identity and inputs.get("name") is None:
            old = plain(request.old_inputs)
            inputs["name"] = check.auto_name(request.name, old, request.random_seed)
        failures = check.failures(handler.schema, inputs) or handler.check(inputs)
        added = {name: value for name, value in inputs.items() if name not in given}
        kept = {name: request.new_inputs[name] for name in given}
        return api.CheckResponse(kept | properties(added, handler.schema), failures)

    async def diff(self, request: api.DiffRequest) -> api.DiffResponse:
        """Compare with the inputs of the last deployment, or the refresh since."""
        old = plain(old_inputs(request) or request.old_state)
        return compare(_handler(request.type).schema, old, plain(request.new_inputs))

    async def create(self, request: api.CreateRequest) -> api.CreateResponse:
        """Create the object, and read back what Vault made of it."""
        handler = _handler(request.type)
        inputs = plain(request.properties)
        if request.preview:
            return api.CreateResponse("", request.properties | _unknown_outputs(handler, inputs))
        return await run_blocking(self._create, handler, inputs, request.properties)

    def _create(self, handler: Handler, inputs: Plain, given: Properties) -> api.CreateResponse:
        vault = self._vault(inputs)
        resource_id = handler.resource_id(inputs)
        handler.create(vault, inputs)
        try:
            handler.configure(vault, inputs)
            found = handler.read(vault, resource_id, inputs) or {}
        except ProviderError as error:
            raise InitializationFailed(resource_id, given, given, [str(error)]) from error
        state = outputs_from(handler.schema, found, inputs)
        return api.CreateResponse(resource_id, properties(state, handler.schema, given))

    async def update(self, request: api.UpdateRequest) -> api.UpdateResponse:
        """Update the object, and read back what Vault made of it."""
        handler = _handler(request.type)
        if request.preview:
            kept = {
                name: value
                for name, value in request.olds.items()
                if name in handler.schema.fields and handler.schema.fields[name].output
            }
            return api.UpdateResponse(kept | request.news)
        return await run_blocking(self._update, handler, request)

    def _update(self, handler: Handler, request: api.UpdateRequest) -> api.UpdateResponse:
        inputs = plain(request.news)
        vault = self._vault(inputs)
        old = plain(old_inputs(request) or request.olds)
        handler.update(vault, request.resource_id, old, inputs)
        found = handler.read(vault, request.resource_id, inputs) or {}
        state = outputs_from(handler.schema, found, inputs)
        return api.UpdateResponse(properties(state, handler.schema, request.news))

    async def read(self, request: api.ReadRequest) -> api.ReadResponse:
        """Return what Vault holds: for a refresh, an import, or `Policy.get`."""
        return await run_blocking(self._read, _handler(request.type), request)

    def _read(self, handler: Handler, request: api.ReadRequest) -> api.ReadResponse:
        inputs = plain(request.inputs)
        known = plain(request.properties) | inputs
        namespace = trim(known.get("namespace") or os.environ.get(IMPORT_NAMESPACE_VARIABLE))
        if namespace:
            known["namespace"] = namespace
        found = handler.read(self._vault(known), request.resource_id, known)
        if found is None:
            return api.ReadResponse("", {}, {})
        if namespace:
            found["namespace"] = known["namespace"]
        like = (request.inputs, request.properties)
        schema = handler.schema
        return api.ReadResponse(
            request.resource_id,
            properties(outputs_from(schema, found, known), schema, *like),
            properties(inputs_from(schema, found, inputs, known), schema, *like),
        )

    async def delete(self, request: api.DeleteRequest) -> None:
        """Delete the object."""
        handler = _handler(request.type)
        known = plain(request.properties)
        await run_blocking(self._delete, handler, request.resource_id, known)

    def _delete(self, handler: Handler, resource_id: str, known: Plain) -> None:
        handler.delete(self._vault(known), resource_id, known)

    async def invoke(self, request: api.InvokeRequest) -> api.InvokeResponse:
        """Refuse: no functions here."""
        raise ProviderError(f"the lab's own vault plugin has no function {request.tok}")

    def _vault(self, values: Plain) -> Vault:
        if self._connection is None:
            raise ProviderError("the vault provider is not configured")
        return self._connection.at(str(values.get("namespace") or ""))


def _handler(token: str) -> Handler:
    # The SDK takes the type out of the URN, where it is led by those of the parents.
    token = token.rpartition("$")[2]
    handler = HANDLERS.get(token)
    if handler is None:
        raise ProviderError(
            f"the lab's own vault plugin does not cover {token}; it covers "
            + ", ".join(sorted(HANDLERS))
        )
    return handler


def _unknown_outputs(handler: Handler, inputs: Plain) -> Properties:
    """Return placeholders for what Vault will choose."""
    return {
        name: property_value(UNKNOWN)
        for name, field in handler.schema.fields.items()
        if (field.output or field.computed) and inputs.get(name) is None
    }
