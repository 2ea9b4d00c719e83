"""Who may deploy what where: Argo CD's own code decides, over the AppProjects as Fleet makes them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.desired import projects
from stacks.model.fleet import Fleet
from tests.real.argocd_decides import HUB, SPOKE, Object, may_deploy
from tests.unit.live_hub import a_fleet, a_spoke

ROOT = Path(__file__).parents[2]
RBAC = "rbac.authorization.k8s.io"
APPS = "apps"
CRD = Object("CustomResourceDefinition", group="apiextensions.k8s.io", name="certificates.x.io")
ON_HUB = a_spoke("management", server=HUB, auth={"kind": "inCluster"})
BY_ARGOCD = {
    "chart": "oci://charts.example.com/external-secrets",
    "version": "0.19.2",
    "delivery": "argocd",
}
SYSTEM = (
    "kube-system",
    "kube-public",
    "kube-node-lease",
    "kube-flannel",
    "argocd",
    "external-secrets",
)


def deployment(namespace: str, server: str = SPOKE) -> Object:
    return Object("Deployment", namespace, APPS, server=server)


def namespace(name: str, server: str = SPOKE) -> Object:
    return Object("Namespace", name=name, server=server)


def may(fleet: Fleet, project: str, *wanted: Object) -> set[Object]:
    """Those of the objects that the AppProject lets through."""
    answers = may_deploy(projects.of_hub(fleet)[project], wanted)
    assert len(answers) == len(wanted)
    return {one for one, answer in zip(wanted, answers, strict=True) if answer}


@pytest.fixture
def joined() -> Fleet:
    """A fleet whose hub is a spoke too."""
    return a_fleet(spokes=[a_spoke("prod-1"), ON_HUB])


def test_services_deploy_into_their_namespaces_and_nowhere_else() -> None:
    honest = {
        deployment("payment-service"),
        Object("Service", "payment-service"),
        Object("ExternalSecret", "payment-service", "external-secrets.io"),
        Object("Role", "payment-service", RBAC),
        Object("Rollout", "payment-service", "argoproj.io"),
        Object("AnalysisTemplate", "payment-service", "argoproj.io"),
    }
    hostile = {
        *(deployment(one) for one in SYSTEM),
        Object("ServiceAccount", "external-secrets"),
        Object("ConfigMap", "argocd"),
        Object("ClusterRoleBinding", group=RBAC),
        Object("ClusterRole", group=RBAC),
        Object("ClusterSecretStore", group="external-secrets.io"),
        Object("ClusterAnalysisTemplate", group="argoproj.io"),
        Object("ValidatingWebhookConfiguration", group="admissionregistration.k8s.io"),
        Object("PersistentVolume"),
        CRD,
        # With labels of its own, no Pod Security; and taken out of git again, all that is in it would go.
        namespace("payment-service"),
        namespace("external-secrets"),
        deployment("payment-service", HUB),
        deployment("argocd", HUB),
        replace(deployment("payment-service"), repo="https://git.example.com/other.git"),
    }
    assert may(a_fleet(), "services", *honest, *hostile) == honest


ADDONS = {"name": "certs", "layout": "directory", "path": "x", "namespace": "cert-manager"}
PLATFORM = {"name": "platform-services", "layout": "platform"}
SERVICES = {"name": "services", "layout": "services"}
OPENSHIFT = {"systemNamespaces": ["openshift-*"], "platformNamespaces": ["cattle-*"]}


def test_services_do_not_deploy_among_what_the_platform_team_runs() -> None:
    """A service in the namespace of cert-manager would be as mighty as that."""
    fleet = a_fleet(applicationSets=[PLATFORM, ADDONS, SERVICES], projects=OPENSHIFT)
    theirs = {deployment(one) for one in ("platform", "cert-manager", "cattle-system")}
    systems = {deployment(one) for one in ("openshift-etcd", "openshift-monitoring")}
    honest = {deployment(one) for one in ("payment-service", "cert", "openshift", "cattle")}
    assert may(fleet, "services", *theirs, *systems, *honest) == honest
    assert may(fleet, "platform", *theirs, *systems, *honest) == {*theirs, *honest}
    opened = {**OPENSHIFT, "services": {"namespaces": ["cert-manager"]}}
    fleet = a_fleet(applicationSets=[PLATFORM, ADDONS, SERVICES], projects=opened)
    certs = deployment("cert-manager")
    assert may(fleet, "services", *theirs, *systems, *honest) == {certs, *honest}


def test_no_namespace_of_a_pattern_is_made() -> None:
    fleet = a_fleet(projects=OPENSHIFT)
    asked = [namespace(one) for one in ("openshift-etcd", "openshift", "cattle-system")]
    assert may(fleet, "platform", *asked) == {*asked[1:]}


def test_the_platform_team_has_namespaces_and_roles_besides() -> None:
    honest = {
        deployment("platform"),
        deployment("payment-service"),
        namespace("payment-service"),
        namespace("platform"),
        Object("ClusterRole", group=RBAC),
        Object("ClusterRoleBinding", group=RBAC),
        Object("RoleBinding", "payment-service", RBAC),
    }
    hostile = {
        *(deployment(one) for one in SYSTEM),
        *(namespace(one) for one in SYSTEM),
        CRD,
        deployment("platform", HUB),
        deployment("argocd", HUB),
    }
    assert may(a_fleet(), "platform", *honest, *hostile) == honest


OWN = "https://git.example.com/payments-config.git"
TEAMS: list[dict[str, Any]] = [
    {"name": "payments", "namespaces": ["payment-service", "payment-*"], "repo": OWN},
    {"name": "identity", "namespaces": ["auth-service"]},
]


def test_a_team_deploys_into_its_namespaces_and_nowhere_else() -> None:
    fleet = a_fleet(teams=TEAMS)
    honest = {
        deployment("payment-service"),
        deployment("payment-api"),
        Object("ExternalSecret", "payment-service", "external-secrets.io"),
        replace(deployment("payment-service"), repo=OWN),
    }
    hostile = {
        *(deployment(one) for one in (*SYSTEM, "auth-service", "payment", "platform", "other")),
        Object("ClusterRoleBinding", group=RBAC),
        CRD,
        namespace("payment-service"),
        namespace("auth-service"),
        deployment("payment-service", HUB),
        replace(deployment("payment-service"), repo="https://git.example.com/other.git"),
    }
    assert may(fleet, "team-payments", *honest, *hostile) == honest
    theirs = {deployment("auth-service")}
    others = {*honest, replace(deployment("auth-service"), repo=OWN)}
    assert may(fleet, "team-identity", *theirs, *others) == theirs


def test_what_a_team_has_the_other_services_have_not() -> None:
    fleet = a_fleet(teams=TEAMS)
    shut = [deployment(one) for one in ("payment-service", "payment-api", "auth-service")]
    assert may(fleet, "services", *shut, deployment("other")) == {deployment("other")}
    assert may(fleet, "platform", *shut) == {*shut}, "network policies, say"
    opened = {"services": {"namespaces": ["auth-service"]}}
    assert may(a_fleet(teams=TEAMS, projects=opened), "services", *shut) == {shut[2]}


def test_a_team_on_the_hub_itself(joined: Fleet) -> None:
    fleet = a_fleet(spokes=[a_spoke("prod-1"), ON_HUB], teams=TEAMS)
    asked = [
        deployment("payment-service", HUB),
        deployment("auth-service", HUB),
        deployment("argocd", HUB),
        deployment("payment-service"),
        Object("RoleBinding", "payment-service", RBAC, server=HUB),
        Object("Application", "payment-service", "argoproj.io", server=HUB),
    ]
    assert may(fleet, "team-payments-hub", *asked) == {asked[0]}
    assert may(fleet, "team-payments", *asked) == {asked[3]}


@pytest.mark.parametrize("project", ["platform", "services"])
def test_the_hub_is_shut_to_all_but_its_own_project(joined: Fleet, project: str) -> None:
    asked = [
        deployment("web", HUB),
        deployment("argocd", HUB),
        Object("Role", "web", RBAC, server=HUB),
    ]
    assert may(joined, project, *asked) == set()
    assert may(joined, project, deployment("web")) == {deployment("web")}


def test_on_the_hub_nothing_hands_on_what_argocd_may(joined: Fleet) -> None:
    honest = {deployment("web", HUB), namespace("web", HUB), Object("Service", "web", server=HUB)}
    hostile = {
        *(deployment(one, HUB) for one in SYSTEM),
        *(namespace(one, HUB) for one in SYSTEM),
        *(Object(kind, "web", RBAC, server=HUB) for kind in ("Role", "RoleBinding")),
        *(Object(kind, "", RBAC, server=HUB) for kind in ("ClusterRole", "ClusterRoleBinding")),
        *(
            Object(kind, "web", "argoproj.io", server=HUB)
            for kind in ("Application", "AppProject", "ApplicationSet")
        ),
        Object("Secret", "argocd", server=HUB),
        replace(CRD, server=HUB),
        deployment("web"),
    }
    assert may(joined, "hub", *honest, *hostile) == honest


def test_a_hub_that_is_no_spoke_takes_nothing() -> None:
    asked = [deployment("web", HUB), deployment("web"), namespace("web", HUB)]
    assert may(a_fleet(), "hub", *asked) == set()


def test_what_the_docs_have_one_make_by_hand_is_no_wider() -> None:
    page = (ROOT / "docs" / "topologies.md").read_text()
    (written,) = re.findall(r"```yaml\n  (apiVersion: argoproj.*?)```", page, re.DOTALL)
    project = yaml.safe_load(textwrap.dedent("  " + written))
    server = project["spec"]["destinations"][0]["server"]
    repo = project["spec"]["sourceRepos"][0]
    asked = [
        *(replace(deployment(one), repo=repo, server=server) for one in ("web", *SYSTEM)),
        *(replace(namespace(one), repo=repo, server=server) for one in ("web", *SYSTEM)),
        replace(deployment("web"), repo=repo),
        replace(deployment("web", HUB), repo=repo),
        replace(deployment("web"), server=server),
    ]
    answers = may_deploy(project["spec"], asked)
    let_in = [one for one, answer in zip(asked, answers, strict=True) if answer]
    assert let_in == [asked[0], asked[1 + len(SYSTEM)]]


def test_external_secrets_goes_into_its_namespace_on_spokes() -> None:
    fleet = a_fleet(externalSecrets=BY_ARGOCD)
    repo = "charts.example.com"
    its = replace(deployment("external-secrets"), repo=repo)
    asked = [
        its,
        replace(its, namespace="payment-service"),
        replace(its, namespace="kube-system"),
        replace(its, server=HUB),
        replace(its, server=HUB, namespace="argocd"),
    ]
    assert may_deploy(projects.external_secrets_spec(fleet), asked) == [True, *[False] * 4]


def test_external_secrets_goes_to_the_hub_only_where_argocd_delivers_it_there() -> None:
    spokes = [a_spoke("prod-1"), {**ON_HUB, "delivery": "argocd"}]
    repo = "charts.example.com"
    its = replace(deployment("external-secrets", HUB), repo=repo)
    asked = [its, replace(its, namespace="argocd"), replace(its, server=SPOKE)]
    spec = projects.external_secrets_spec(a_fleet(externalSecrets=BY_ARGOCD, spokes=spokes))
    assert may_deploy(spec, asked) == [True, False, True]
    spokes[1]["delivery"] = "pulumi"
    spec = projects.external_secrets_spec(a_fleet(externalSecrets=BY_ARGOCD, spokes=spokes))
    assert may_deploy(spec, asked) == [False, False, True]


def test_nothing_goes_by_the_project_default() -> None:
    asked = [deployment("web"), deployment("web", HUB), namespace("web")]
    assert may_deploy(projects.EMPTIED, asked) == [False] * 3


def _widened(project: str, **what: Any) -> Fleet:
    return a_fleet(projects={project: what})


@pytest.mark.parametrize("project", ["platform", "services"])
def test_an_operator_comes_in_where_the_stack_file_says_so(project: str) -> None:
    kinds = [
        {"group": "apiextensions.k8s.io", "kind": "CustomResourceDefinition"},
        {"group": "cert-manager.io", "kind": "ClusterIssuer"},
    ]
    repo = "https://git.example.com/operators.git"
    fleet = _widened(project, clusterKinds=kinds, repos=[repo], namespaces=["kube-system"])
    issuer = Object("ClusterIssuer", group="cert-manager.io")
    opened = {CRD, issuer, replace(CRD, repo=repo), deployment("kube-system")}
    closed = {
        deployment("kube-public"),
        deployment("kube-node-lease"),
        deployment("argocd"),
        deployment("external-secrets"),
        Object("ValidatingWebhookConfiguration", group="admissionregistration.k8s.io"),
        deployment("kube-system", HUB),
        replace(CRD, repo="https://git.example.com/other.git"),
    }
    assert may(fleet, project, *opened, *closed) == opened


def test_services_make_namespaces_where_the_stack_file_says_so_but_none_of_the_system() -> None:
    fleet = _widened("services", clusterKinds=[{"group": "", "kind": "Namespace"}])
    asked = [namespace("payment-service"), *(namespace(one) for one in SYSTEM)]
    assert may(fleet, "services", *asked) == {namespace("payment-service")}


def test_what_a_fleet_calls_its_system_is_shut() -> None:
    fleet = a_fleet(
        argocd={"manifest": "install.yaml", "namespace": "gitops"},
        externalSecrets={"chart": "chart", "namespace": "vault-sync"},
        rbac={"accountNamespace": "argocd-manager"},
        projects={"systemNamespaces": ["istio-system"]},
    )
    own = ("gitops", "vault-sync", "argocd-manager", "istio-system")
    for project in ("platform", "services"):
        assert may(fleet, project, *(deployment(one) for one in own)) == set()
