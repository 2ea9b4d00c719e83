from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from lab import clusters
from lab.context import Lab
from lab.errors import LabError
from lab.home import LabHome
from lab.kube import KubeApi, server_of, service_account_kubeconfig
from lab.pki import cluster_pki
from lab.report import Reporter
from lab.toolchain import Toolbox
from lab.workload_settings import settings_of


class FakeApi:
    """An API server of a few objects."""

    cluster = "hub"

    def __init__(self, objects: dict[str, dict[str, Any]]) -> None:
        self.objects, self.tokens = objects, 0

    def get(self, path: str) -> dict[str, Any] | None:
        return self.objects.get(path)

    def service_account_uid(self, namespace: str, name: str) -> str | None:
        found = self.get(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
        return str(found["metadata"]["uid"]) if found else None

    def token(self, namespace: str, name: str) -> str:
        self.tokens += 1
        return f"token-{self.tokens}"


def fake(objects: dict[str, dict[str, Any]]) -> KubeApi:
    return cast(KubeApi, FakeApi(objects))


@pytest.fixture
def home(tmp_path: Path) -> LabHome:
    return LabHome(tmp_path).create()


def test_the_kubeconfig_has_a_context_per_cluster_with_its_own_authority(home: LabHome) -> None:
    clusters._remember(home, ["hub", "staging"])
    content = yaml.safe_load(home.kubeconfig.read_text())
    assert [context["name"] for context in content["contexts"]] == ["hub", "staging"]
    assert content["current-context"] == "hub"
    for entry in content["clusters"]:
        authority = cluster_pki(home, entry["name"]).authority.certificate.read_bytes()
        assert base64.b64decode(entry["cluster"]["certificate-authority-data"]) == authority
        assert entry["cluster"]["server"] == server_of(home, entry["name"])
    assert clusters.cluster_names(home) == ["hub", "staging"]


def test_the_persons_current_context_is_kept_while_it_exists(home: LabHome) -> None:
    clusters._remember(home, ["hub", "staging"])
    content = home.kubeconfig.read_text().replace(
        "current-context: hub", "current-context: staging"
    )
    home.kubeconfig.write_text(content)
    clusters._remember(home, ["hub", "staging", "more"])
    assert "current-context: staging" in home.kubeconfig.read_text()
    clusters._remember(home, ["hub", "more"])
    assert "current-context: hub" in home.kubeconfig.read_text()


def test_a_new_lab_has_the_articles_clusters(home: LabHome) -> None:
    assert clusters.cluster_names(home) == ["hub", "prod-us-east-1", "prod-eu-west-1", "staging"]


@pytest.mark.parametrize("name", ["Prod", "a b", "-a", "a-", "", "a/b", "x" * 60])
def test_a_cluster_needs_a_name_that_kubernetes_takes(home: LabHome, name: str) -> None:
    with pytest.raises(LabError, match="is no name for a cluster"):
        clusters.add_cluster(Lab(home, Toolbox(), Reporter()), name)


@pytest.mark.parametrize(
    ("name", "message"),
    [("nowhere", "the lab has no cluster nowhere; there are: hub, "), ("hub", "can't be removed")],
)
def test_what_cannot_be_removed(home: LabHome, name: str, message: str) -> None:
    with pytest.raises(LabError, match=message):
        clusters.remove_cluster(Lab(home, Toolbox(), Reporter()), name)


ACCOUNT = "/api/v1/namespaces/argocd/serviceaccounts/argocd-server"


def test_a_service_accounts_kubeconfig_is_kept_while_the_account_is_the_same(
    home: LabHome,
) -> None:
    api = fake({ACCOUNT: {"metadata": {"uid": "first"}}})
    path = service_account_kubeconfig(home, api, "argocd", "argocd-server", folder="argocd")
    assert path is not None
    assert path == service_account_kubeconfig(home, api, "argocd", "argocd-server", folder="argocd")
    assert yaml.safe_load(Path(path).read_text())["users"][0]["user"] == {"token": "token-1"}


def test_an_account_made_anew_gets_a_new_token(home: LabHome) -> None:
    objects = {ACCOUNT: {"metadata": {"uid": "first"}}}
    api = fake(objects)
    before = service_account_kubeconfig(home, api, "argocd", "argocd-server", folder="argocd")
    objects[ACCOUNT] = {"metadata": {"uid": "second"}}
    path = service_account_kubeconfig(home, api, "argocd", "argocd-server", folder="argocd")
    assert "token-2" in Path(str(path)).read_text()
    assert path != before, "the process with the old one must be restarted"
    assert not Path(str(before)).exists()


def test_no_account_no_kubeconfig(home: LabHome) -> None:
    assert service_account_kubeconfig(home, fake({}), "argocd", "x", folder="argocd") is None


def test_settings_come_from_the_config_maps_that_the_manifest_names() -> None:
    def reference(name: str, map_: str, key: str) -> dict[str, Any]:
        return {"name": name, "valueFrom": {"configMapKeyRef": {"name": map_, "key": key}}}

    variables = [
        reference("ARGOCD_RECONCILIATION_TIMEOUT", "argocd-cm", "timeout.reconciliation"),
        reference("ARGOCD_LOG_LEVEL", "argocd-cmd-params-cm", "server.log.level"),
        {"name": "HELM_CACHE_HOME", "value": "/helm-working-dir"},
        {"name": "REDIS_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "r", "key": "auth"}}},
    ]
    workload = {"spec": {"template": {"spec": {"containers": [{"env": variables}]}}}}
    api = fake(
        {
            "/apis/apps/v1/namespaces/argocd/deployments/server": workload,
            "/api/v1/namespaces/argocd/configmaps/argocd-cm": {
                "data": {"timeout.reconciliation": "30s"}
            },
        }
    )
    assert settings_of(api, "argocd", "deployments", "server") == {
        "ARGOCD_RECONCILIATION_TIMEOUT": "30s"
    }
    assert settings_of(api, "argocd", "deployments", "missing") == {}
