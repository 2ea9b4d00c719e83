"""The lab's gitops-config repo, read as files: what the article asks of it, and that it hangs together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.topology import TOPOLOGIES
from tests.lab_repo import lab_repo

CHECKOUT = Path(__file__).parents[2]
TAGS = {"dev": "v2.4.0-alpha.2", "staging": "v2.3.1-rc.1", "production": "v2.3.0"}
SERVICES = ("auth-service", "notification-service", "payment-service")


@pytest.fixture(autouse=True)
def _repo(request: pytest.FixtureRequest) -> None:
    request.module.REPO = lab_repo()


REPO = Path()


def _kustomizations() -> list[Path]:
    return sorted(REPO.rglob("kustomization.yaml"))


def _manifests() -> Iterator[Path]:
    """What is applied, and not what only Kustomize reads."""
    return (
        path
        for folder in ("base", "apps", "clusters")
        for path in sorted((REPO / folder).rglob("*.yaml"))
        if path.name != "kustomization.yaml"
    )


def _short(path: Path) -> str:
    return str(path.relative_to(REPO))


def _load(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text())
    assert isinstance(loaded, dict), f"{_short(path)} is no mapping"
    return loaded


def _documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def _built(kustomization: Path) -> Iterator[dict[str, Any]]:
    """Every object that a kustomization takes in, before its patches."""
    for resource in _load(kustomization).get("resources", []):
        target = (kustomization.parent / resource).resolve()
        if target.is_dir():
            yield from _built(target / "kustomization.yaml")
        else:
            yield from _documents(target)


def _spokes() -> list[dict[str, Any]]:
    """The spokes of every stack of the lab, each once for every stack that has it."""
    stacks = [stack for topology in TOPOLOGIES.values() for stack in topology.stacks]
    files = [CHECKOUT / "examples" / f"Pulumi.{stack}.yaml" for stack in stacks]
    return [spoke for file in files for spoke in _load(file)["config"].get("fleet:spokes", [])]


def test_three_top_folders_and_nothing_else() -> None:
    folders = sorted(
        path.name for path in REPO.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    assert folders == ["apps", "base", "clusters"]
    assert sorted(path.name for path in (REPO / "apps").iterdir()) == list(SERVICES)
    shared = {path.name for path in (REPO / "base").iterdir()}
    assert shared == {"namespaces", "network-policies", "rbac"}


def test_whatever_a_kustomization_names_exists() -> None:
    for kustomization in _kustomizations():
        _named_exists(kustomization)


def _named_exists(kustomization: Path) -> None:
    content = _load(kustomization)
    assert content["kind"] == "Kustomization"
    named = [
        *content.get("resources", []),
        *(patch["path"] for patch in content.get("patches", [])),
    ]
    for name in named:
        target = kustomization.parent / name
        assert target.exists(), f"{_short(kustomization)} names {name}, which is not there"
        if target.is_dir():
            assert (target / "kustomization.yaml").is_file(), f"{name} has no kustomization.yaml"


def test_no_file_lies_beside_a_kustomization_unused() -> None:
    for kustomization in _kustomizations():
        content = _load(kustomization)
        named = {
            *content.get("resources", []),
            *(patch["path"] for patch in content.get("patches", [])),
        }
        beside = {path.name for path in kustomization.parent.glob("*.yaml")}
        assert beside - {"kustomization.yaml"} <= named, kustomization


@pytest.mark.parametrize("environment", sorted(TAGS))
@pytest.mark.parametrize("service", SERVICES)
def test_an_overlay_sets_the_tag_of_its_environment(service: str, environment: str) -> None:
    overlay = _load(REPO / "apps" / service / "overlays" / environment / "kustomization.yaml")
    deployment = _load(REPO / "apps" / service / "base" / "deployment.yaml")
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    name = image.rpartition(":")[0]
    assert overlay["images"] == [{"name": name, "newTag": TAGS[environment]}], (
        "an `images` entry whose name is not the base's image changes nothing, silently"
    )
    assert overlay["namespace"] == service
    assert overlay["patches"], "an overlay says how its environment differs"


@pytest.mark.parametrize("service", SERVICES)
def test_a_base_has_what_the_article_lists(service: str) -> None:
    base = REPO / "apps" / service / "base"
    files = {path.name for path in base.iterdir()}
    assert {"deployment.yaml", "service.yaml", "hpa.yaml", "kustomization.yaml"} <= files
    assert _load(base / "service.yaml")["spec"]["type"] == "ClusterIP"


@pytest.mark.parametrize("service", SERVICES)
def test_git_and_the_autoscaler_do_not_fight_over_replicas(service: str) -> None:
    folder = REPO / "apps" / service
    for path in sorted(folder.rglob("*.yaml")):
        for document in _documents(path):
            if document.get("kind") == "Deployment":
                assert "replicas" not in document.get("spec", {}), _short(path)
            assert "replicas" not in document, f"{_short(path)}: kustomize would set them too"
    hpa = _load(folder / "base" / "hpa.yaml")["spec"]
    assert hpa["scaleTargetRef"]["name"] == service


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_probed_bounded_and_unprivileged(service: str) -> None:
    pod = _load(REPO / "apps" / service / "base" / "deployment.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["readinessProbe"] != container["livenessProbe"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"].keys() == {"memory"}
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_no_image_is_latest() -> None:
    for path in sorted((REPO / "apps").rglob("*.yaml")):
        text = path.read_text()
        assert ":latest" not in text, _short(path)
        assert "newTag: latest" not in text, _short(path)


def test_payment_service_fetches_its_credentials_from_vault_as_the_article_says() -> None:
    base = REPO / "apps" / "payment-service" / "base"
    external_secret = _load(base / "external-secret.yaml")
    key = "secret/data/payment-service/db"
    assert external_secret == {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "payment-db-credentials"},
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"name": "vault-backend", "kind": "ClusterSecretStore"},
            "target": {"name": "payment-db-credentials"},
            "data": [
                {"secretKey": "username", "remoteRef": {"key": key, "property": "username"}},
                {"secretKey": "password", "remoteRef": {"key": key, "property": "password"}},
            ],
        },
    }
    deployment = _load(base / "deployment.yaml")
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    used = [entry["valueFrom"]["secretKeyRef"] for entry in env if "valueFrom" in entry]
    assert used == [
        {"name": "payment-db-credentials", "key": "username"},
        {"name": "payment-db-credentials", "key": "password"},
    ]


def test_no_secret_is_in_git() -> None:
    for path in _manifests():
        for document in _documents(path):
            assert document["kind"] != "Secret", _short(path)


def test_every_spoke_of_the_lab_has_its_directory() -> None:
    directories = {path.name for path in (REPO / "clusters").iterdir()}
    assert directories == {spoke["name"] for spoke in _spokes()}


@pytest.mark.parametrize("spoke", _spokes(), ids=lambda spoke: spoke["name"])
def test_cluster_info_says_what_the_stack_file_says(spoke: dict[str, Any]) -> None:
    info = _load(REPO / "clusters" / spoke["name"] / "platform" / "cluster-info.yaml")
    assert info["metadata"] == {"name": "cluster-info", "namespace": "platform"}
    assert info["data"] == {key: spoke[key] for key in ("name", "region", "environment")}


@pytest.mark.parametrize("cluster", sorted({spoke["name"] for spoke in _spokes()}))
def test_a_platform_has_every_base_and_a_namespace_per_service(cluster: str) -> None:
    objects = list(_built(REPO / "clusters" / cluster / "platform" / "kustomization.yaml"))
    namespaces = {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"}
    assert namespaces == {*SERVICES, "platform"}
    policies = [item["metadata"]["name"] for item in objects if item["kind"] == "NetworkPolicy"]
    for name in ("default-deny", "allow-dns", "allow-same-namespace"):
        assert policies.count(name) == len(namespaces), f"{name} is missing in a namespace"
    roles = [item for item in objects if item["kind"] == "ClusterRole"]
    for rule in (rule for role in roles for rule in role["rules"]):
        assert set(rule["verbs"]) <= {"get", "list", "watch"}
        assert "secrets" not in rule["resources"], "a reader of Secrets is a holder of credentials"


def test_taking_a_namespace_out_of_git_does_not_delete_it() -> None:
    annotations = _load(REPO / "base" / "namespaces" / "kustomization.yaml")["commonAnnotations"]
    assert annotations["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"
