"""What is on a cluster already, asked before anything is made: whose it is, what is said, and how it is let through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from live import existing
from live.cluster_api import ClusterAPI, Refused
from stacks.desired.crds import NO_MANIFEST, Manifest
from stacks.desired.footprint import footprints
from stacks.loading.kubeconfig import Kubeconfig
from stacks.model.access import ClusterAccess, Endpoint
from stacks.model.errors import StackError
from stacks.model.fleet import Fleet
from tests.unit.live_hub import KINDS, NAMESPACES, LiveHub, a_fleet, a_spoke

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
APPS = "/apis/apps/v1/namespaces/argocd"
ACCOUNT = "/api/v1/namespaces/kube-system/serviceaccounts/argocd-manager"
ROLE = f"{RBAC}/clusterroles/argocd-manager-role"
STORE = "/apis/external-secrets.io/v1/clustersecretstores/vault-backend"
PULUMI = "pulumi-kubernetes-1a2b"
UPSERT = "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"


def _crd(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
    }


ESO = Manifest(tuple(_crd(f"{one}.external-secrets.io") for one in ("a", "b", "c", "d")))
ARGOCD = Manifest(
    (
        _crd("applications.argoproj.io"),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "argocd-server"},
            "spec": {"template": {"spec": {"containers": [{"image": "argocd:v3.6.1"}]}}},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argocd-cm"},
            "data": {"oidc.config": "canary-ours", "new.key": "1"},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "argocd-server-network-policy"},
        },
    )
)
Clusters = dict[str, LiveHub]
Require = Callable[..., list[str]]


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> Clusters:
    """A hub and the spokes of `a_fleet`, all empty."""
    found = {name: LiveHub() for name in ("hub", "prod-1", "staging")}
    monkeypatch.delenv(UPSERT, raising=False)
    for method in ("json", "metadata"):
        monkeypatch.setattr(ClusterAPI, method, _by_context(found, method))
    monkeypatch.setattr(Kubeconfig, "of", lambda _: None)
    return found


def _by_context(found: Clusters, method: str) -> Callable[[Any, str], Any]:
    return lambda api, path: getattr(found[api._context], method)(path)


@pytest.fixture
def require(clusters: Clusters) -> Require:
    def ask(fleet: Fleet | None = None, silent: tuple[str, ...] = ()) -> list[str]:
        """The warnings; raises as the program does."""
        access = {name: ClusterAccess(name, "https://x", "", "") for name in clusters}
        endpoints = {
            name: Endpoint("https://x", "", one) for name, one in access.items() if name != "hub"
        }
        manifests = ARGOCD, ESO
        problems, warnings = existing.ask(
            fleet or a_fleet(), "lab", access["hub"], endpoints, manifests, silent
        )
        if problems:
            raise StackError("stacks/Pulumi.lab.yaml", problems)
        return warnings

    return ask


def _told(require: Require, fleet: Fleet | None = None) -> list[str]:
    with pytest.raises(StackError) as caught:
        require(fleet)
    return str(caught.value).splitlines()


def test_empty_clusters(require: Require) -> None:
    assert require() == []


def test_one_message_per_cluster_that_says_what_whose_and_what_to_do(
    clusters: Clusters, require: Require
) -> None:
    spoke = clusters["prod-1"]
    for one in "abcd":
        spoke.has(f"{CRDS}/{one}.external-secrets.io", "helm")
    spoke.has(f"{NAMESPACES}/external-secrets", "kubectl-create")
    spoke.has(f"{NAMESPACES}/default", "kube-apiserver")
    (line,) = _told(require)
    assert line == (
        'stacks/Pulumi.lab.yaml: fleet:spokes[0]: "prod-1" has what this stack would make, and others made it: 4 CRDs '
        "a.external-secrets.io, b.external-secrets.io, c.external-secrets.io and 1 more (by helm); Namespace "
        "external-secrets (by kubectl-create). If it is in use and stays, write `installed: true` under "
        "`fleet:externalSecrets`, and Fleet makes the stores only; if it was left over, one `up` with "
        "PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true takes it over. See docs/recover.md#a-cluster-has-it-already"
    )


def test_what_argocd_cluster_add_has_left(clusters: Clusters, require: Require) -> None:
    clusters["staging"].has(ACCOUNT, "argocd")
    clusters["staging"].has(ROLE, "argocd")
    (line,) = _told(require)
    assert "fleet:spokes[1]:" in line
    assert "ClusterRole argocd-manager-role (by argocd); ServiceAccount argocd-manager (by" in line
    assert "choose another `auth`" in line
    assert "installed: true" not in line, "that is not what is in the way"


def test_every_cluster_is_told_at_once(clusters: Clusters, require: Require) -> None:
    for one in clusters.values():
        one.has(f"{NAMESPACES}/external-secrets", "kubectl")
        one.has(f"{NAMESPACES}/argocd", "kubectl")
    lines = _told(require)
    assert [line.split(": ")[1] for line in lines] == [
        "fleet:argocd.manifest", "fleet:spokes[0]", "fleet:spokes[1]",
    ]  # fmt: skip
    assert "leave `manifest` out" in lines[0]


def test_where_the_stack_has_been_one_object_is_asked_for(
    clusters: Clusters, require: Require
) -> None:
    """What others did to a CRD since then costs that cluster only, at its hook."""
    for name in ("prod-1", "staging"):
        clusters[name].has(STORE, PULUMI)
        clusters[name].has(ROLE, PULUMI)
        clusters[name].has(f"{CRDS}/a.external-secrets.io", "helm")
    clusters["hub"].has(f"{NAMESPACES}/argocd", PULUMI)
    assert require() == []
    assert clusters["prod-1"].asked == [STORE, ROLE]
    assert clusters["hub"].asked == [f"{NAMESPACES}/argocd"]


def test_crds_of_fleet_s_or_pulumi_s_are_no_others(clusters: Clusters, require: Require) -> None:
    clusters["prod-1"].has(f"{CRDS}/a.external-secrets.io", "fleet-crds")
    clusters["prod-1"].has(f"{CRDS}/b.external-secrets.io", PULUMI)
    assert require() == []


def test_of_what_is_only_a_name_nobody_knows_the_maker(
    clusters: Clusters, require: Require
) -> None:
    """So it is of what Pulumi applied: a namespace, a ServiceAccount. It gives no one away, and proves nothing."""
    for path in (f"{NAMESPACES}/external-secrets", ACCOUNT):
        clusters["prod-1"].has(path, "")
        clusters["prod-1"].lists[path.rpartition("/")[0]][-1]["metadata"]["managedFields"] = []
    assert require() == []
    clusters["prod-1"].has(f"{CRDS}/a.external-secrets.io", "helm")
    (line,) = _told(require)
    assert "others made it: CRD a.external-secrets.io (by helm). If" in line


def test_what_is_to_be_taken_over_is_told(
    clusters: Clusters, require: Require, monkeypatch: pytest.MonkeyPatch
) -> None:
    clusters["prod-1"].has(f"{CRDS}/a.external-secrets.io", "helm")
    monkeypatch.setenv(UPSERT, "true")
    (warning,) = require()
    assert "CRD a.external-secrets.io (by helm): taken over, as PULUMI_K8S_UPSERT" in warning


def test_spokes_that_are_not_asked(clusters: Clusters, require: Require) -> None:
    for name in ("prod-1", "staging"):
        clusters[name].has(f"{NAMESPACES}/external-secrets", "kubectl")
    resting = a_fleet(spokes=[a_spoke("prod-1"), a_spoke("staging", quarantine="disk")])
    assert require(resting, ("prod-1",)) == []
    assert not clusters["prod-1"].asked + clusters["staging"].asked


def test_one_that_may_not_be_asked_is_left_to_up(clusters: Clusters, require: Require) -> None:
    clusters["prod-1"].failures[STORE] = Refused("403")
    assert require() == []


def test_an_external_secrets_of_others_may_be_there_where_it_is_wanted(
    clusters: Clusters, require: Require
) -> None:
    clusters["prod-1"].has(f"{NAMESPACES}/external-secrets", "helm")
    for one in "abcd":
        clusters["prod-1"].has(f"{CRDS}/{one}.external-secrets.io", "helm")
    assert require(a_fleet(externalSecrets={"installed": True})) == []
    clusters["prod-1"].has(STORE, "kubectl")
    (line,) = _told(require, a_fleet(externalSecrets={"installed": True}))
    assert "ClusterSecretStore vault-backend (by kubectl)" in line


def test_the_hub_as_a_spoke_is_asked_as_the_hub(clusters: Clusters, require: Require) -> None:
    clusters["hub"].has(f"{NAMESPACES}/external-secrets", "helm")
    (line,) = _told(require, a_fleet(spokes=[a_spoke("in-hub", auth={"kind": "inCluster"})]))
    assert "fleet:spokes[0]: the hub (hub) has what" in line


def _an_argocd(hub: LiveHub, owner: str = "") -> None:
    """One that somebody runs, with three Applications, two of them through the AppProject `default`."""
    hub.has(f"{NAMESPACES}/argocd", "kubectl-create")
    if owner:
        hub.lists[NAMESPACES][-1]["metadata"]["labels"] = {"fleet_stack": owner}
    hub.has(f"{CRDS}/applications.argoproj.io", "kubectl-client-side-apply")
    hub.has(
        f"{APPS}/deployments/argocd-server",
        "helm",
        spec={"template": {"spec": {"containers": [{"image": "argocd:v2.14.0"}]}}},
    )
    hub.has(
        "/api/v1/namespaces/argocd/configmaps/argocd-cm",
        "helm",
        data={"oidc.config": "canary-theirs", "application.resourceTrackingMethod": "label"},
    )
    for name, project in (("one", "default"), ("two", "default"), ("three", "team")):
        hub.has(f"{KINDS}/applications/{name}", "argocd-server", spec={"project": project})
    hub.has(f"{KINDS}/appprojects/default", "argocd-application-controller")
    hub.lists[f"{KINDS}/applicationsets"] = []


def test_owning_an_argo_cd_of_others_is_refused_with_what_would_change(
    clusters: Clusters, require: Require, monkeypatch: pytest.MonkeyPatch
) -> None:
    _an_argocd(clusters["hub"])
    (line,) = _told(require)
    assert "fleet:argocd.manifest: the hub (hub) has what this stack would make" in line
    for said in (
        "It is an Argo CD with 3 Applications (in argocd), 0 ApplicationSets and 1 AppProject. For them would change: ",
        'AppProject "default" emptied, so that 2 Applications would no longer sync; ',
        "in argocd-cm application.resourceTrackingMethod: label -> annotation (every",
        "cluster.inClusterEnabled: unset -> false (Applications on the hub itself stop)",
        "no longer reports), oidc.config; the image",
        "the image argocd:v2.14.0 replaced by argocd:v3.6.1. Leave `manifest` out, and this stack joins it; or let "
        "this stack have it: `kubectl --context hub label namespace argocd fleet_stack=lab`, then one `up` with "
        "PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true. Read docs/topologies.md#an-argo-cd-that-is-there-already first",
    ):
        assert said in line
    assert "canary" not in line, "what people keep in argocd-cm may be a secret"
    monkeypatch.setenv(UPSERT, "true")
    assert _told(require) == [line], "the variable alone may be meant for a spoke's CRDs"


def test_an_argo_cd_that_the_stack_is_given(
    clusters: Clusters, require: Require, monkeypatch: pytest.MonkeyPatch
) -> None:
    _an_argocd(clusters["hub"], owner="lab")
    (line,) = _told(require)
    assert "let this stack have it: one `up` with" in line
    monkeypatch.setenv(UPSERT, "true")
    (warning,) = require()
    assert "3 Applications" in warning


def test_an_argo_cd_whose_users_may_not_be_listed_is_not_owned(
    clusters: Clusters, require: Require, monkeypatch: pytest.MonkeyPatch
) -> None:
    _an_argocd(clusters["hub"], owner="lab")
    every = "/apis/argoproj.io/v1alpha1/applications"
    clusters["hub"].failures[every] = Refused("applications: 403 forbidden")
    monkeypatch.setenv(UPSERT, "true")
    (line,) = _told(require)
    assert "Who uses it can't be read: applications: 403 forbidden. `up` must know" in line


def test_an_argo_cd_in_another_namespace(clusters: Clusters, require: Require) -> None:
    """Its ClusterRoles have the names of ours, which would be bound to other ServiceAccounts."""
    clusters["hub"].has(f"{CRDS}/applications.argoproj.io", "kubectl")
    clusters["hub"].has("/apis/argoproj.io/v1alpha1/namespaces/argo/applications/one", "kubectl")
    (line,) = _told(require)
    assert "1 Application (in argo)" in line
    assert "Leave `manifest` out and write `namespace: argo`, and this stack joins it" in line


def test_only_crds_left_of_an_argo_cd(clusters: Clusters, require: Require) -> None:
    clusters["hub"].has(f"{CRDS}/applications.argoproj.io", "kubectl")
    clusters["hub"].lists[f"{KINDS}/applications"] = []
    (line,) = _told(require)
    assert "It is an Argo CD" not in line
    assert "leave `manifest` out" in line


def test_nothing_more_is_asked_of_a_large_hub_that_is_ours(
    clusters: Clusters, require: Require
) -> None:
    _an_argocd(clusters["hub"])
    clusters["hub"].lists[NAMESPACES][-1]["metadata"]["managedFields"] = [{"manager": PULUMI}]
    assert require() == []
    assert not any("applications" in path for path in clusters["hub"].asked)


def test_a_stack_without_any_manifest_makes_little() -> None:
    joining = a_fleet(argocd={}, externalSecrets={"chart": "chart", "delivery": "argocd"})
    made = footprints(joining, NO_MANIFEST, NO_MANIFEST)
    assert {one.objects[0]["metadata"]["name"] for one in made} == {"argocd-manager-role"}
