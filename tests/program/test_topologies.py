"""A hub and the stacks that share it: each makes its own objects, and none another's."""

from __future__ import annotations

from itertools import combinations

import pytest

from tests.program.conftest import JOINING, SPLIT, Run, RunProgram, example


def hub_objects(run: Run) -> set[tuple[str, str, str]]:
    """Kind, namespace and name of every object that the run spells out for the hub."""
    return {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"])
        for resource in run.on("hub")
        for one in resource.objects()
    }


def test_no_two_stacks_make_the_same_object_on_the_hub(run_program: RunProgram) -> None:
    objects = {stack: hub_objects(run_program(stack)) for stack in SPLIT}
    assert all(objects.values())
    assert ("Secret", "argocd", "cluster-staging") in objects["staging"]
    for one, other in combinations(SPLIT, 2):
        assert not objects[one] & objects[other]


def test_no_two_stacks_make_the_same_in_vault(run_program: RunProgram) -> None:
    def made(stack: str) -> set[tuple[str, str, str]]:
        return {
            (
                one.type,
                str(one.inputs.get("namespace")),
                str(
                    one.inputs.get("path")
                    or one.inputs.get("name")
                    or (one.inputs["backend"], one.inputs["roleName"])
                ),
            )
            for one in run_program(stack).resources
            if one.type.startswith("vault:")
        }

    objects = {stack: made(stack) for stack in SPLIT}
    for one, other in combinations(SPLIT, 2):
        assert not objects[one] & objects[other]


def test_the_hub_stack_has_argo_cd_and_no_spoke(run_program: RunProgram) -> None:
    run = run_program("hub")
    assert run.one("fleet:index:ArgoCD", "argocd")
    assert run.object("Namespace", "argocd", "hub")
    assert run.object("AppProject", "platform", "hub")
    assert not run.of("fleet:index:SpokeCluster")
    assert not run.of(":ApplicationSet")
    assert not run.of("core/v1:Secret")
    assert {one.name for one in run.of("pulumi:providers:kubernetes")} == {"hub"}


@pytest.mark.parametrize(("stack", "protected"), [("hub", True), ("lab", False)])
def test_a_hub_that_is_others_only_can_t_be_destroyed_by_mistake(
    run_program: RunProgram, stack: str, protected: bool
) -> None:
    namespace = run_program(stack).one("kubernetes:core/v1:Namespace", "hub-namespace")
    assert namespace.request.protect is protected


def test_the_hub_stack_has_a_store_for_credentials(run_program: RunProgram) -> None:
    run = run_program("hub")
    store = run.object("ClusterSecretStore", "fleet-clusters", "hub").inputs["spec"]
    assert store["conditions"] == [{"namespaces": ["argocd"]}]
    assert store["provider"]["vault"]["auth"]["jwt"]["path"] == "jwt-hub"
    (policy,) = run.of("vault:index/policy:Policy")
    assert 'path "secret/data/clusters/*"' in policy.inputs["policy"]
    assert policy.inputs["namespace"] == "hub"
    assert store["provider"]["vault"]["namespace"] == "hub"


@pytest.mark.parametrize("stack", JOINING)
def test_a_stack_that_joins_brings_no_argo_cd(run_program: RunProgram, stack: str) -> None:
    run = run_program(stack)
    assert not run.of("fleet:index:ArgoCD")
    assert not run.of(":AppProject")
    assert ("Namespace", "", "argocd") not in hub_objects(run)
    environment = example(stack)["fleet:environments"]
    assert environment == [stack]
    for secret in run.of("core/v1:Secret"):
        if secret.name.endswith("-cluster-secret"):
            assert secret.inputs["metadata"]["labels"]["environment"] == stack


@pytest.mark.parametrize("stack", JOINING)
def test_sets_keep_to_their_environment(run_program: RunProgram, stack: str) -> None:
    for one in run_program(stack).of(":ApplicationSet"):
        (generator,) = one.inputs["spec"]["generators"]
        if "matrix" in generator:
            generator = generator["matrix"]["generators"][0]
        selector = generator["clusters"]["selector"]
        assert selector["matchLabels"].get("environment") == stack or selector[
            "matchExpressions"
        ] == [{"key": "environment", "operator": "In", "values": [stack]}]


def test_owning_and_joining_differ_by_the_manifest_alone(run_program: RunProgram) -> None:
    config = example("lab")
    owning = {one.name for one in run_program("lab", config).resources}
    del config["fleet:argocd"]
    joining = {one.name for one in run_program("lab", config).resources}
    assert joining < owning
    assert owning - joining == {
        "hub-namespace",
        "argocd",
        "argocd-crds",
        "argocd-default-project",
        "argocd-project",
        "argocd-project-services",
        "argocd-project-hub",
    }
