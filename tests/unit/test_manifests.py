from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from components import manifests
from components.argocd import placed, sharded
from tests.unit.conftest import Server


def test_reads_every_object(tmp_path: Path) -> None:
    path = tmp_path / "install.yaml"
    path.write_text("---\nkind: A\nmetadata: {name: a}\n---\n---\nkind: B\nmetadata: {name: b}\n")
    assert [one["kind"] for one in manifests.read(str(path))] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds something else"),
        ("<html>", "holds something else"),
        ("kind: A\nmetadata: {}\n", "holds something else"),
        ("kind: A\nmetadata: [name]\n", "holds something else"),
        ("a: [", "is no YAML"),
        ("a: 2026-13-01", "is no YAML"),
    ],
)
def test_something_else(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "install.yaml"
    path.write_text(text)
    with pytest.raises(manifests.ManifestError, match=message):
        manifests.read(str(path))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "install.yaml"
    path.write_bytes(b"kind: \xff")
    with pytest.raises(manifests.ManifestError, match=r"install\.yaml is no YAML"):
        manifests.read(str(path))


def test_an_address_that_is_none() -> None:
    with pytest.raises(manifests.ManifestError, match="can't be fetched"):
        manifests.read("https://xn--é../install.yaml")


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(manifests.ManifestError, match=r"absent.yaml can't be read: No such file"):
        manifests.read("absent.yaml")


def test_an_address(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    server.body = b"kind: A\nmetadata: {name: a}\n"
    assert manifests.read(f"{server.url}/install.yaml") == [
        {"kind": "A", "metadata": {"name": "a"}}
    ]
    server.status = 404
    with pytest.raises(manifests.ManifestError, match=r"install.yaml can't be fetched: .*404"):
        manifests.read(f"{server.url}/install.yaml")


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
    with pytest.raises(
        manifests.ManifestError, match=r"controllerReplicas is 2, .* no StatefulSet"
    ):
        sharded([other], 2)
