"""A cluster that has already what the stack would make: refused before anything is registered."""

from __future__ import annotations

from typing import Any

import pytest

from live.cluster_api import ClusterAPI
from stacks.desired import crds
from tests.program.conftest import Refusal, RunProgram, example
from tests.unit.live_hub import NAMESPACES, LiveHub


def _also(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Every cluster has an object there, made by hand."""
    there = LiveHub()
    there.has(path, "kubectl-create")
    usual = LiveHub.metadata

    def metadata(hub: LiveHub, asked: str) -> dict[str, Any]:
        return usual(there if asked == path else hub, asked)

    monkeypatch.setattr(LiveHub, "metadata", metadata)


def test_nothing_is_registered(run_program: RunProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    _also(monkeypatch, f"{NAMESPACES}/external-secrets")
    with pytest.raises(Refusal) as caught:
        run_program("lab")
    lines = str(caught.value).splitlines()
    assert len(lines) == len(example("lab")["fleet:spokes"]), "one message per cluster"
    assert all("Namespace external-secrets (by kubectl-create)" in line for line in lines)


def test_it_goes_through_when_asked_for(
    run_program: RunProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    _also(monkeypatch, f"{NAMESPACES}/external-secrets")
    monkeypatch.setenv("PULUMI_K8S_UPSERT_EXISTING_OBJECTS", "true")
    assert run_program("lab").object("Namespace", "external-secrets", "staging")


def test_an_argo_cd_of_others_is_not_owned(
    run_program: RunProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    _also(monkeypatch, f"{NAMESPACES}/argocd")
    with pytest.raises(Refusal, match=r"fleet:argocd.manifest: the hub \(hub\) has what"):
        run_program("hub")


def test_a_hub_is_joined_only_through_its_projects(
    run_program: RunProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = ClusterAPI.items

    def without(api: ClusterAPI, path: str, selector: str = "") -> Any:
        return () if path.endswith("/appprojects") else usual(api, path, selector)

    monkeypatch.setattr(ClusterAPI, "items", without)
    with pytest.raises(
        Refusal, match='has no AppProjects "platform", "services", which this stack'
    ):
        run_program("staging")


def test_digests_are_taken_once_for_all_spokes(
    run_program: RunProgram, monkeypatch: pytest.MonkeyPatch
) -> None:

    taken = []
    digest = crds._digest
    monkeypatch.setattr(crds, "_digest", lambda crd: taken.append(crd) or digest(crd))
    run_program("lab")
    assert len(taken) == 3, "Argo CD's on the hub, External Secrets' one and Argo Rollouts'"


def test_any_refusal_ends_in_its_own_words(run_program: RunProgram) -> None:
    config = example("lab")
    config["fleet:environments"] = ["nowhere"]
    with pytest.raises(Refusal, match=r"^stacks/Pulumi\.lab\.yaml"):
        run_program("lab", config)
