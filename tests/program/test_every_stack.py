"""What must hold for whatever stack: names, providers, secrets, and that spokes don't touch each other."""

from __future__ import annotations

import json

import pytest

from tests.program.conftest import (
    CANARIES,
    EXAMPLES,
    JOINING,
    TOKEN,
    VAULT_TOKEN,
    Run,
    RunProgram,
    example,
    kubeconfig,
)

WITH_SPOKES = ("lab", *JOINING)


@pytest.mark.parametrize("stack", EXAMPLES)
def test_names_are_unique_by_type(run_program: RunProgram, stack: str) -> None:
    run = run_program(stack)
    # The mocks accept what the engine refuses.
    assert len(run.resources) > 10
    assert len(run.keyed()) == len(run.resources)


@pytest.mark.parametrize("stack", EXAMPLES)
def test_no_default_provider(run_program: RunProgram, stack: str) -> None:
    for one in run_program(stack).resources:
        if one.type.startswith(("kubernetes:", "vault:")):
            assert one.providers, f"{one.name} names its provider"


@pytest.mark.parametrize("stack", EXAMPLES)
def test_a_provider_per_cluster_with_identity_and_secret_kubeconfig(
    run_program: RunProgram, stack: str
) -> None:
    spokes = {spoke["name"] for spoke in example(stack).get("fleet:spokes", [])}
    providers = run_program(stack).of("pulumi:providers:kubernetes")
    assert {one.name for one in providers} == {"hub", *spokes}
    for one in providers:
        assert one.inputs["clusterIdentifier"] == one.name
        assert one.is_secret("kubeconfig")


def secrets_in_clear(run: Run) -> set[str]:
    """The names of the resources that have a canary among what is not marked secret on the wire."""
    return {
        one.name
        for one in run.resources
        if any(canary in one.in_clear() for canary in (TOKEN, VAULT_TOKEN, *CANARIES.values()))
    }


@pytest.mark.parametrize("stack", EXAMPLES)
def test_no_secret_leaks(run_program: RunProgram, stack: str) -> None:
    run = run_program(stack)
    assert not secrets_in_clear(run)
    holders = {one.name for one in run.resources if TOKEN in json.dumps(one.inputs)}
    spokes = [spoke["name"] for spoke in example(stack).get("fleet:spokes", [])]
    assert holders == {f"{spoke}-cluster-secret" for spoke in spokes}
    assert all(run.one(":Secret", name).is_secret("stringData") for name in holders)
    for spoke in spokes:
        token = run.one(":Secret", f"{spoke}-argocd-manager-token")
        assert "data" in token.request.additionalSecretOutputs
    exported = repr(run.outputs)
    assert not any(canary in exported for canary in (TOKEN, VAULT_TOKEN, *CANARIES.values()))


def test_the_leak_test_finds_a_leak(run_program: RunProgram) -> None:
    config = example("dev")
    config["fleet:spokes"][0]["annotations"] = {"note": TOKEN}
    assert secrets_in_clear(run_program("dev", config)) == {"dev-cluster-secret"}
    assert all(canary in kubeconfig({"hub": CANARIES}) for canary in CANARIES.values())


@pytest.mark.parametrize("stack", EXAMPLES)
def test_everything_on_the_hub_says_whose_it_is(run_program: RunProgram, stack: str) -> None:
    run = run_program(stack)
    seen = set()
    for one in run.on("hub"):
        kind = one.type.rsplit(":", 1)[-1]
        metadata = one.inputs.get("metadata", {})
        shared = kind in {"ApplicationSet", "AppProject"} or (
            metadata.get("namespace") == "argocd" and kind in {"Secret", "ExternalSecret"}
        )
        if shared or metadata.get("name") == "argocd":
            seen.add(kind)
            assert metadata["labels"]["fleet_stack"] == stack, one.name
    expected = {"Namespace", "AppProject"} if stack in ("lab", "hub") else set()
    assert seen == expected | ({"Secret", "ApplicationSet"} if stack != "hub" else set())


@pytest.mark.parametrize("stack", WITH_SPOKES)
def test_a_new_spoke_changes_no_other_resource(run_program: RunProgram, stack: str) -> None:
    config = example(stack)
    before = run_program(stack, config).keyed()
    environment = config["fleet:spokes"][0]["environment"]
    config["fleet:spokes"].append(
        {"name": "spare", "environment": environment, "region": "us-west-2"}
    )
    after = run_program(stack, config).keyed()
    new = after.keys() - before.keys()
    assert not before.keys() - after.keys()
    assert new
    assert all(name.startswith("spare") for _, _, name in new)
    changed = [key for key in before if before[key].inputs != after[key].inputs]
    assert not changed
    for key, one in before.items():
        assert set(one.request.dependencies) == set(after[key].request.dependencies), key


@pytest.mark.parametrize("stack", EXAMPLES)
def test_outputs(run_program: RunProgram, stack: str) -> None:
    config = example(stack)
    outputs = run_program(stack).outputs
    assert outputs["argocdNamespace"] == "argocd"
    assert set(outputs["spokes"]) == {one["name"] for one in config.get("fleet:spokes", [])}
    assert outputs["applicationSets"] == [
        one["name"] for one in config.get("fleet:applicationSets", [])
    ]
