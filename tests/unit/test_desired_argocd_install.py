from __future__ import annotations

import copy
from typing import Any

import pytest

from stacks.desired.argocd_install import installation, placed, sharded
from stacks.model.errors import ManifestError
from tests.unit.live_hub import a_fleet


def test_placing_leaves_the_manifest_as_it_was() -> None:
    config_map = {
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm"},
        "data": {"a": "1", "b": "1"},
    }
    moved = placed(config_map, "argo", {"b": "2"})
    assert moved["metadata"] == {"name": "argocd-cm", "namespace": "argo"}
    assert moved["data"] == {"a": "1", "b": "2"}
    assert config_map["metadata"] == {"name": "argocd-cm"}
    assert config_map["data"] == {"a": "1", "b": "1"}


def _controller(env: list[dict[str, str]]) -> dict[str, Any]:
    containers = [{"name": "argocd-application-controller", "env": env}, {"name": "sidecar"}]
    return {
        "kind": "StatefulSet",
        "metadata": {"name": "argocd-application-controller"},
        "spec": {"replicas": 1, "template": {"spec": {"containers": containers}}},
    }


def test_one_controller_leaves_the_manifest_as_it_came() -> None:
    manifest = [_controller([{"name": "ARGOCD_CONTROLLER_REPLICAS", "value": "1"}])]
    assert sharded(manifest, 1) == manifest
    assert sharded([], 1) == []


@pytest.mark.parametrize(
    "env",
    [
        [],
        [
            {"name": "ARGOCD_CONTROLLER_REPLICAS", "value": "1"},
            {"name": "OTHER", "value": "stays"},
        ],
    ],
)
def test_controllers_learn_how_many_they_are(env: list[dict[str, str]]) -> None:
    manifest = [_controller(env), {"kind": "Deployment", "metadata": {"name": "argocd-server"}}]
    before = copy.deepcopy(manifest)
    controller, server = sharded(manifest, 3)
    assert controller["spec"]["replicas"] == 3
    main, sidecar = controller["spec"]["template"]["spec"]["containers"]
    told = {"name": "ARGOCD_CONTROLLER_REPLICAS", "value": "3"}
    assert main["env"] == [*(one for one in env if one["name"] == "OTHER"), told]
    assert sidecar == {"name": "sidecar"}
    assert server == manifest[1]
    assert manifest == before


def test_a_manifest_without_the_controller_can_t_be_sharded() -> None:
    other = {"kind": "StatefulSet", "metadata": {"name": "redis"}}
    with pytest.raises(ManifestError, match=r"controllerReplicas is 2, .* no StatefulSet"):
        sharded([other], 2)


def _app_projects(*of_an_entry: str) -> dict[str, Any]:
    """The CRD of AppProjects, whose lists of cluster-wide objects have entries with these keys."""
    schema: dict[str, Any] = {"items": {"properties": {key: {} for key in of_an_entry}}}
    for key in ("clusterResourceBlacklist", "spec"):
        schema = {"properties": {key: schema}}
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "appprojects.argoproj.io"},
        "spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]},
    }


def test_a_release_whose_projects_know_no_names_is_refused() -> None:
    known = [_app_projects("group", "kind", "name")]
    assert installation(a_fleet(), known).crds == tuple(known)
    with pytest.raises(ManifestError, match=r"a release before 3\.3.+take 3\.3 or later"):
        installation(a_fleet(), [_app_projects("group", "kind")])
