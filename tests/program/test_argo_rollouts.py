"""Argo Rollouts: on the spokes that ask for it, before they are known to Argo CD, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.program.conftest import Refusal, RunProgram, example, spoke_of
from tests.program.test_existing import _also
from tests.unit.live_hub import NAMESPACES

SPOKE = "staging"


def test_it_is_where_a_spoke_asks_for_it(run_program: RunProgram) -> None:
    run = run_program("lab")
    components = [one.name for one in run.of("fleet:index:ArgoRollouts")]
    assert components == [SPOKE]
    record = run.object("ConfigMap", "argo-rollouts-crds", SPOKE)
    assert list(record.inputs["data"]) == ["rollouts.argoproj.io"]
    assert list(record.request.hooks.before_create) == [f"{SPOKE}/argo-rollouts-crds"]
    group = run.one(":ConfigGroup", f"{SPOKE}-argo-rollouts")
    assert group.maker == SPOKE
    assert any(urn.endswith("::" + record.name) for urn in group.request.dependencies)
    account, binding, metrics = group.objects()
    assert account["metadata"]["namespace"] == "argo-rollouts"
    assert binding["subjects"][0]["namespace"] == "argo-rollouts"
    assert metrics["metadata"]["annotations"] == {"pulumi.com/skipAwait": "true"}


def test_another_namespace(run_program: RunProgram) -> None:
    config = example("lab")
    config["fleet:argoRollouts"] |= {"namespace": "delivery"}
    run = run_program("lab", config)
    account, binding, _ = run.one(":ConfigGroup", f"{SPOKE}-argo-rollouts").objects()
    assert account["metadata"]["namespace"] == binding["subjects"][0]["namespace"] == "delivery"
    assert run.object("Namespace", "delivery", SPOKE)
    services = run.one(":AppProject", "argocd-project-services").inputs["spec"]
    assert "!delivery" in [one["namespace"] for one in services["destinations"]]


def test_the_spoke_is_registered_after_it(run_program: RunProgram) -> None:
    run = run_program("lab")
    spoke = run.one("fleet:index:SpokeCluster", SPOKE)
    needed = {urn.rpartition("::")[2] for urn in spoke.request.dependencies}
    assert {f"{SPOKE}-argo-rollouts-namespace", f"{SPOKE}-argo-rollouts-crds"} <= needed


def test_argo_cd_gets_the_rights_to_its_kinds(run_program: RunProgram) -> None:
    def groups(spoke: str) -> set[str]:
        role = run.object("ClusterRole", "argocd-manager-role", spoke)
        return {group for rule in role.inputs["rules"] for group in rule["apiGroups"]}

    run = run_program("lab")
    assert "argoproj.io" in groups(SPOKE)
    assert "argoproj.io" not in groups("prod-us-east-1")


def test_a_spoke_of_which_pulumi_makes_nothing_else(run_program: RunProgram) -> None:
    """It is worked on all the same."""
    config = example("lab")
    config["fleet:externalSecrets"] = {
        "chart": "oci://charts.example.com/external-secrets",
        "version": "0.19.2",
        "delivery": "argocd",
    }
    spoke_of(config, SPOKE)["auth"] = {"kind": "gke"}
    spoke_of(config, SPOKE)["issuer"] = "https://oidc.example.com/1"
    run = run_program("lab", config)
    on_spoke = {one.name for one in run.on(SPOKE) if one.request.custom}
    assert on_spoke == {f"{SPOKE}-argo-rollouts-namespace", f"{SPOKE}-argo-rollouts-crds"}


def test_a_spoke_in_quarantine(run_program: RunProgram) -> None:
    config = example("lab")
    spoke_of(config, SPOKE)["quarantine"] = "API server lost"
    group = run_program("lab", config).one(":ConfigGroup", f"{SPOKE}-argo-rollouts")
    assert (group.maker, group.providers) == ("hub", {SPOKE})


def test_one_of_others_is_not_taken_over(
    run_program: RunProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    _also(monkeypatch, f"{NAMESPACES}/argo-rollouts")
    with pytest.raises(Refusal) as caught:
        run_program("lab")
    (said,) = str(caught.value).splitlines()
    assert f'fleet:spokes[2].addons: "{SPOKE}" has what this stack would make' in said
    assert "Namespace argo-rollouts (by kubectl-create)" in said
    assert "take `argo_rollouts` out of this spoke's `addons`" in said


def test_without_the_addon_the_section_does_nothing(run_program: RunProgram) -> None:
    config: dict[str, Any] = example("lab")
    del spoke_of(config, SPOKE)["addons"]
    run = run_program("lab", config)
    assert not run.of("fleet:index:ArgoRollouts")
