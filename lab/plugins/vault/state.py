"""From what Vault holds to Pulumi's state: outputs, and the inputs that would produce them."""

from __future__ import annotations

from lab.plugins.vault.schema import Plain, Schema


def outputs_from(schema: Schema, found: Plain, known: Plain) -> Plain:
    """Return the resource's outputs: Vault's values, written as `known` has them where equal.

    What Vault does not return (secrets, and arguments that steer only the plugin) is as `known`.
    """
    values = {name: _value(schema, name, found, known) for name in schema.fields}
    return {name: value for name, value in values.items() if value is not None}


def inputs_from(schema: Schema, found: Plain, inputs: Plain, known: Plain) -> Plain:
    """Return the inputs that describe what Vault holds.

    Fields that the program sets carry Vault's value, so that the next preview shows drift. Those
    it leaves out appear only where Vault holds something else than nothing or the default; on an
    import (`inputs` empty) so do those that Vault chose itself.
    """
    importing = not inputs
    result: Plain = {}
    for name, field in schema.inputs().items():
        value = _value(schema, name, found, known)
        if value is None:
            continue
        always = name in inputs or field.required or (importing and field.default is not None)
        drifted = not field.is_unset(value) and (importing or not field.computed)
        if always or drifted:
            result[name] = value
    return result


def _value(schema: Schema, name: str, found: Plain, known: Plain) -> object:
    field, given = schema.fields[name], known.get(name)
    if name not in found and (field.hidden or not field.sent):
        return given
    value = found.get(name)
    if value is None:  # Vault holds nothing: drifted, where something was set
        return given if given is None or field.is_unset(given) else field.unset
    return given if given is not None and field.same(value, given) else value
