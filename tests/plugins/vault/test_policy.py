"""Policies through the whole life that `pulumi` gives them."""

from __future__ import annotations

import pytest
from hvac.exceptions import InvalidPath

pytestmark = pytest.mark.plugins

READ = 'path "secret/data/a" { capabilities = ["read"] }'
LIST = 'path "secret/data/a" { capabilities = ["list"] }'


def policy(name: str, text: str = READ, more: str = "") -> str:
    return f"p = vault.Policy('p', name='{name}', policy='''{text}'''{more})"


def test_create_update_replace_drift_disappearance_and_delete(stack, bao, mount):
    policies = bao.client().sys
    stack.up(policy(mount))
    state = stack.resources()["p"]
    assert state["id"] == mount
    assert state["inputs"] == {"name": mount, "policy": READ, "allowOverwrite": True}
    assert policies.read_acl_policy(mount)["data"]["policy"] == READ
    stack.unchanged()

    assert "~ policy" in stack.up(policy(mount, LIST)).output
    assert policies.read_acl_policy(mount)["data"]["policy"] == LIST

    assert "replace" in stack.up(policy(mount + "-new", LIST)).output
    assert policies.read_acl_policy(mount + "-new")["data"]["policy"] == LIST
    with pytest.raises(InvalidPath):
        policies.read_acl_policy(mount)

    policies.create_or_update_acl_policy(mount + "-new", READ, pretty_print=False)
    stack.refresh()
    assert READ in stack.resources()["p"]["inputs"]["policy"]
    assert "~ policy" in stack.up().output

    policies.delete_acl_policy(mount + "-new")
    stack.refresh()
    assert "p" not in stack.resources()
    stack.up()
    assert policies.read_acl_policy(mount + "-new")["data"]["policy"] == LIST

    policies.delete_acl_policy(mount + "-new")
    stack.up("")  # gone already is fine


def test_import_and_generated_names(stack, bao, mount):
    bao.client().sys.create_or_update_acl_policy(mount, READ, pretty_print=False)
    imported = f", opts=pulumi.ResourceOptions(import_='{mount}', retain_on_delete=True)"
    generated = f"\nvault.Policy('auto', policy='''{READ}''')"
    stack.up(policy(mount, more=imported) + generated)
    name = stack.resources()["auto"]["id"]
    assert name.startswith("auto-")
    assert len(name) == len("auto-") + 7
    stack.unchanged(policy(mount, more=imported) + generated)


def test_wrong_arguments_are_named(stack, mount):
    program = f"""
class Bad(pulumi.CustomResource):
    def __init__(self, name, props):
        super().__init__("vault:index/policy:Policy", name, props, pulumi.ResourceOptions(version="7.14.0"))
Bad("bad", {{"name": "{mount}", "polcy": "x"}})
"""
    output = stack.up(program, expect=1).output
    assert 'an argument named "polcy" is not expected here; did you mean "policy"?' in output
    assert 'missing required property "policy"' in output
