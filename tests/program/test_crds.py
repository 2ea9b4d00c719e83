"""CRDs: never Pulumi's own, and applied to the cluster whose record of them changes."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pulumi
import pytest

import live.crds
from live.cluster_api import ClusterAPI
from tests.program.conftest import RunProgram, server_of

SPOKE = "prod-us-east-1"
NAME = f"{SPOKE}/external-secrets-crds"


def _before(one: Any) -> tuple[list[str], list[str]]:
    hooks = one.request.hooks
    return list(hooks.before_create), list(hooks.before_update)


def test_no_crd_is_a_resource(run_program: RunProgram) -> None:
    for one in run_program("lab").resources:
        assert "CustomResourceDefinition" not in [found["kind"] for found in one.objects()]


def test_a_record_has_its_crds_applied_first(run_program: RunProgram) -> None:
    run = run_program("lab")
    record = run.object("ConfigMap", "external-secrets-crds", SPOKE)
    assert _before(record) == ([NAME], [NAME])
    assert not record.request.retainOnDelete, "it is a record, and goes with the installation"
    chart = run.one(":Chart", f"{SPOKE}-external-secrets")
    assert any(urn.endswith("::" + record.name) for urn in chart.request.dependencies)


def test_a_hook_applies_the_crds_to_its_own_cluster(
    run_program: RunProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied: list[tuple[ClusterAPI, list[str], bool]] = []

    def apply(api: ClusterAPI, crds: Any, *, instead: str, take_over: bool) -> None:
        assert "installed: true" in instead
        applied.append((api, [one["metadata"]["name"] for one in crds], take_over))

    monkeypatch.setattr(live.crds, "apply", apply)
    run = run_program("lab")
    assert not applied, "nothing is applied before the engine asks"
    nothing = pulumi.ResourceHookArgs(urn="", id="", name="", type="")
    for variable in ("false", "true"):
        monkeypatch.setitem(os.environ, "PULUMI_K8S_UPSERT_EXISTING_OBJECTS", variable)
        asyncio.run(run.hooks[NAME](nothing))  # type: ignore[arg-type]
    assert [names for _, names, _ in applied] == [["externalsecrets.external-secrets.io"]] * 2
    assert [take_over for _, _, take_over in applied] == [False, True]
    api = applied[0][0]
    assert api._connect().configuration.host == server_of(SPOKE)
