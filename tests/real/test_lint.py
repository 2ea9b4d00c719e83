"""`fleet lint` by the real kustomize; and what it says of AppProjects and RBAC by Argo CD's own code and can-i."""

from __future__ import annotations

import itertools
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from rich.console import Console
from typer.testing import CliRunner

from fleet.commands import app
from gitops import permissions
from gitops.kinds import Kinds
from gitops.kustomize import Kustomize, Rendered
from gitops.lint import lint
from gitops.tree import TreeError
from lab.toolchain import ensure
from stacks.desired import argocd_manager, projects
from stacks.desired.objects import RBAC
from stacks.model.fleet import Fleet, Team
from tests.real.argocd_decides import HUB, SPOKE, Object, may_deploy
from tests.real.conftest import Cluster
from tests.real.gitops_repo import (
    SETS,
    STORE_CRD,
    Repo,
    a_repo,
    deployment,
    external_secret,
    production,
)
from tests.unit.live_hub import a_fleet, a_spoke
from tests.unit.mutation import documents

WEB = "apps/web/overlays/production"
BASE = "apps/web/base"
BOTH = "(on prod-1, prod-2)"


@pytest.fixture(autouse=True)
def _kustomize(monkeypatch: pytest.MonkeyPatch) -> None:
    toolbox = ensure(["kustomize"], console=Console(stderr=True))
    monkeypatch.setenv("PATH", str(Path(toolbox.bin("kustomize")).parent), prepend=":")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return a_repo(tmp_path / "repo")


def test_a_good_repo(repo: Repo) -> None:
    assert repo.said() == []


def test_a_directory_that_a_set_reads_and_is_not_there(repo: Repo) -> None:
    fleet = production(spokes=[a_spoke("prod-1"), a_spoke("prod-3")])
    missing, superfluous = repo.said(production=fleet)
    assert superfluous == (
        'clusters/prod-3/platform: directory: isn\'t there, and ApplicationSet "platform-services" of stack '
        '"production" deploys it to "prod-3"; add it with a kustomization.yaml'
    )
    assert missing == (
        'clusters/prod-2: directory: is of no spoke of these stacks; did you mean "prod-3"?'
    )


def test_an_overlay_of_no_environment(repo: Repo) -> None:
    repo.kustomization("apps/web/overlays/prodution", namespace="web", resources=["../../base"])
    (said,) = repo.said()
    assert said.startswith("apps/web/overlays/prodution: directory: is of no environment")
    assert 'did you mean "production"?' in said


def test_an_overlay_that_does_not_build(repo: Repo) -> None:
    repo.kustomization("apps/other/overlays/production", resources=["nowhere.yaml"])
    repo.kustomization(WEB, namespace="web", resources=["../../base", "gone.yaml"])
    said = repo.said()
    assert [one.split(":")[0] for one in said] == ["apps/other/overlays/production", WEB]
    assert all("build: " in one for one in said)
    assert said[1] == (
        f'{WEB}: build: in {WEB}: resource "gone.yaml": {WEB}/gone.yaml: no such file or directory'
    )
    assert str(repo.folder) not in "".join(said), "paths are the repo's"


def test_two_applications_of_one_name(repo: Repo) -> None:
    addons = {"name": "addons", "layout": "directory", "path": "addons", "application": "web"}
    repo.write(
        "addons/empty.yaml", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    )
    other = production(
        argocd={}, applicationSets=[addons], environments=["production"], spokes=[a_spoke("prod-1")]
    )
    said = repo.said(production=repo.fleet, other=other)
    assert any(
        'would be the Application "prod-1-web", which apps/web/overlays/production is' in one
        for one in said
    )


@pytest.mark.parametrize("name", ["platform", "kube-system", "external-secrets"])
def test_a_service_that_is_left_out_by_its_name(repo: Repo, name: str) -> None:
    repo.kustomization(
        f"apps/{name}/overlays/production", namespace="web", resources=["../../../web/base"]
    )
    found = [one for one in repo.said() if "left out by its name" in one]
    assert [one.split(":")[0] for one in found] == [f"apps/{name}"]


def test_a_service_whose_name_is_none(repo: Repo) -> None:
    repo.kustomization(
        "apps/Web_2/overlays/production", namespace="web", resources=["../../../web/base"]
    )
    assert [one for one in repo.said() if "is no name for a namespace" in one]


def test_an_object_that_its_schema_refuses(repo: Repo) -> None:
    wrong = deployment()
    wrong["spec"]["replicas"] = "three"
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = "Always"
    repo.write(f"{BASE}/deployment.yaml", wrong)
    one, other = repo.said()
    assert (
        one
        == f"{BASE}/deployment.yaml:1: schema: Deployment web: spec.replicas: must be of type integer"
    )
    assert "spec.template.spec.containers.0: unknown key imagePulPolicy" in other


def test_an_object_that_its_crd_refuses(repo: Repo) -> None:
    wrong = external_secret()
    wrong["spec"]["secretStoreRefs"] = {}
    repo.write(f"{BASE}/external-secret.yaml", wrong)
    (said,) = repo.said()
    assert "ExternalSecret db: spec: unknown key secretStoreRefs" in said


def test_each_object_by_the_line_that_it_begins_at(repo: Repo) -> None:
    """Also where one's name is part of another's, and where Kustomize adds to it."""
    names = ("web-2", "web", "web-20")
    several = [{**deployment("web"), "metadata": {"name": name}} for name in names]
    repo.write(f"{BASE}/deployment.yaml", *several)
    text = (repo.folder / BASE / "deployment.yaml").read_text().splitlines()
    begins = [1, *(number + 2 for number, line in enumerate(text) if line == "---")]
    places = {
        f"{BASE}/deployment.yaml:{line}: image: Deployment {name}"
        for name, line in zip(names, begins, strict=True)
    }
    assert {one.split(": image ")[0] for one in repo.said()} == {f"{one}" for one in places}
    repo.kustomization(WEB, namespace="web", nameSuffix="-blue", resources=["../../base"])
    assert {one.line for one in repo.lint()} == set(begins)


def test_a_kind_that_nobody_knows_is_a_warning(repo: Repo) -> None:
    rollout = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}}
    repo.write(f"{BASE}/deployment.yaml", rollout)
    (found,) = repo.lint()
    assert (found.rule, found.severity) == ("schema", "warning")
    assert "by `--crds`" in found.message


@pytest.mark.parametrize(
    ("kind", "content", "bad"),
    [
        ("Secret", {"stringData": {"password": "hunter2"}}, True),
        ("Secret", {"data": {"password": "aHVudGVyMg=="}}, True),
        ("Secret", {"type": "kubernetes.io/service-account-token"}, False),
        ("ConfigMap", {"data": {"colour": "blue"}}, False),
    ],
)
def test_a_secret_with_content(repo: Repo, kind: str, content: dict[str, Any], bad: bool) -> None:
    one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "db"}, **content}
    repo.write(f"{BASE}/deployment.yaml", deployment(), one)
    found = [one for one in repo.said() if ": secret: " in one]
    assert bool(found) == bad
    assert "hunter2" not in "".join(found)


def test_a_secret_that_kustomize_makes(repo: Repo) -> None:
    generator = [{"name": "db", "literals": ["password=hunter2"]}]
    repo.kustomization(WEB, namespace="web", resources=["../../base"], secretGenerator=generator)
    assert [one for one in repo.said() if ": secret: " in one]


@pytest.mark.parametrize(
    ("image", "bad"),
    [
        ("registry.example.com/web", "has no tag"),
        ("registry.example.com:5000/web", "has no tag"),
        ("registry.example.com/web:latest", "latest is another image tomorrow"),
        ("registry.example.com/web:v1", ""),
        ("registry.example.com:5000/web:v1", ""),
        ("registry.example.com/web@sha256:" + "0" * 64, ""),
        ("registry.example.com/web:latest@sha256:" + "0" * 64, ""),
    ],
)
def test_images(repo: Repo, image: str, bad: str) -> None:
    repo.write(f"{BASE}/deployment.yaml", deployment(image))
    found = [one for one in repo.said() if ": image: " in one]
    assert bool(found) == bool(bad)
    assert all(bad in one for one in found)


def test_an_image_that_the_overlay_gives_a_tag(repo: Repo) -> None:
    repo.write(f"{BASE}/deployment.yaml", deployment("web"))
    assert repo.said()
    images = [{"name": "web", "newTag": "v2"}]
    repo.kustomization(WEB, namespace="web", resources=["../../base"], images=images)
    assert repo.said() == []


def test_a_namespace_that_nobody_makes_and_without_a_policy(repo: Repo) -> None:
    repo.kustomization(WEB, namespace="shop", resources=["../../base"])
    found = {one.rule: one for one in repo.lint()}
    assert {rule: one.severity for rule, one in found.items()} == {
        "namespace": "warning",
        "network-policy": "error",
    }
    assert all('"shop"' in one.message and one.message.endswith(BOTH) for one in found.values())


def test_a_namespace_of_the_platform_s_without_a_policy(repo: Repo) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
    repo.write("base/namespaces/namespaces.yaml", namespace)
    (said,) = repo.said()
    assert said.startswith(
        "base/namespaces/namespaces.yaml:1: network-policy: Namespace web: has no"
    )
    assert said.endswith(BOTH)


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (external_secret("staging/web/db"), "lets it read production/*"),
        (external_secret("secret/data/production/web/db"), ""),
        (external_secret(store="vault"), "and the spoke has vault-backend"),
        (external_secret(kind="SecretStore"), "which nothing makes in"),
    ],
)
def test_what_an_external_secret_may_read(repo: Repo, secret: dict[str, Any], said: str) -> None:
    repo.write(f"{BASE}/external-secret.yaml", secret)
    found = [one for one in repo.said() if ": external-secret: " in one]
    assert bool(found) == bool(said)
    assert all(said in one and one.endswith(BOTH) for one in found)


def test_a_store_that_is_for_other_namespaces(repo: Repo) -> None:
    stores = [{"name": "vault-backend", "namespaces": ["payments"]}]
    (said,) = repo.said(production=production(secretStores=stores))
    assert 'store "vault-backend" is not for the namespace "web"' in said
    stores[0]["namespaces"] = ["payments", "web"]
    assert repo.said(production=production(secretStores=stores)) == []


def test_what_the_project_refuses(repo: Repo) -> None:
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "x"}}
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "namespace": "kube-system"},
    }
    repo.write("apps/web/overlays/production/more.yaml", role, config)
    repo.kustomization(WEB, resources=["../../base", "more.yaml"])
    said = [one for one in repo.said() if ": project: " in one]
    assert len(said) == 2
    assert (
        'AppProject "services" lets in no ClusterRole, which is cluster-wide' in said[0] + said[1]
    )
    assert 'AppProject "services" keeps the namespace "kube-system" shut' in said[0] + said[1]


def test_what_argocd_manager_may_not_make(repo: Repo) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x"}}
    repo.write("apps/web/overlays/production/more.yaml", lease)
    repo.kustomization(WEB, namespace="web", resources=["../../base", "more.yaml"])
    (said,) = repo.said()
    assert "rbac: Lease x: argocd-manager may not get, list, watch, create" in said
    rules = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]}]
    assert repo.said(production=production(rbac={"rules": rules})) == []
    assert repo.said(production=production(rbac={"clusterAdmin": True})) == []
    inside = production(rbac={"namespaces": ["payments"]})
    assert any('may do nothing in "web" there' in one for one in repo.said(production=inside))


def test_what_is_unchanged_comes_from_the_cache(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.cache = tmp_path / "cache"
    assert repo.said() == []
    built: list[str] = []
    real = Kustomize._built

    def watched(self: Kustomize, directory: str) -> Any:
        built.append(directory)
        return real(self, directory)

    monkeypatch.setattr(Kustomize, "_built", watched)
    assert repo.said() == []
    assert built == []
    repo.write(f"{BASE}/deployment.yaml", deployment("web:latest"))
    assert [one for one in repo.said() if ": image: " in one], "what a base changes is seen"
    assert built == [WEB]
    (repo.folder / "base/namespaces/kustomization.yaml").write_text(
        "resources: [namespaces.yaml, more.yaml]"
    )
    assert [one for one in repo.said() if ": build: " in one]


NAMESPACES = (
    "web",
    "platform",
    "argocd",
    "kube-system",
    "external-secrets",
    "istio-system",
    "payments",
)
GROUPS = {
    "Deployment": "apps", "Namespace": "", "ConfigMap": "", "ClusterRole": RBAC, "Role": RBAC, "RoleBinding": RBAC,
    "ClusterIssuer": "cert-manager.io", "Application": "argoproj.io", "PersistentVolume": "",
}  # fmt: skip
WIDE = {"Namespace", "ClusterRole", "ClusterIssuer", "PersistentVolume"}


@pytest.mark.parametrize("project", ["platform", "services", "hub"])
@pytest.mark.parametrize("widened", [False, True])
def test_argo_cd_decides_as_we_say(project: str, widened: bool) -> None:
    here = a_spoke("management", server=HUB, auth={"kind": "inCluster"})
    more = {
        "systemNamespaces": ["istio-*"],
        project: {
            "namespaces": ["kube-system"],
            "clusterKinds": [{"group": "cert-manager.io", "kind": "ClusterIssuer"}],
        },
    }
    fleet = a_fleet(spokes=[a_spoke("prod-1"), here], projects=more if widened else {})
    spec = projects.of_hub(fleet)[project]
    server = HUB if project == "hub" else SPOKE
    asked = [
        Object(kind, "" if kind in WIDE else namespace, group, namespace, server)
        for (kind, group), namespace in itertools.product(GROUPS.items(), NAMESPACES)
    ]
    ours = []
    for one in asked:
        version = f"{one.group}/v1" if one.group else "v1"
        rendered = Rendered(
            {"apiVersion": version, "kind": one.kind, "metadata": {"name": one.name}}, ""
        )
        ours.append(not permissions.shut_out(spec, rendered, one.namespace))
    assert ours == may_deploy(spec, asked)
    assert True in ours
    assert False in ours


def test_the_api_server_decides_as_we_say(cluster: Cluster) -> None:
    fleet = production(
        rbac={
            "rules": [
                {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]}
            ]
        }
    )
    spoke = fleet.spokes[0]
    ours = permissions.of_spoke(fleet, spoke)
    assert ours
    account = argocd_manager.account(argocd_manager.of(fleet, spoke))
    for one in (account, *itertools.chain(*argocd_manager.roles(fleet, spoke))):
        cluster.kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(one)
        )
    resources = [
        ("", "configmaps"), ("", "secrets"), ("", "pods"), ("apps", "deployments"), ("batch", "jobs"),
        ("", "namespaces"), (RBAC, "clusterroles"), (RBAC, "roles"), ("coordination.k8s.io", "leases"),
        ("storage.k8s.io", "storageclasses"),
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations"), ("", "serviceaccounts"),
    ]  # fmt: skip
    user = "--as=system:serviceaccount:kube-system:argocd-manager"
    for group, resource in resources:
        named = f"{resource}.{group}" if group else resource
        missing = [
            verb
            for verb in permissions._VERBS
            if cluster.kubectl("auth", "can-i", verb, named, user, check=False).strip() != "yes"
        ]
        said = ours.lacks(
            group, resource, "x", "" if resource in ("namespaces", "clusterroles") else "web"
        )
        assert bool(said) == bool(missing), (named, said, missing)
        assert all(verb in said for verb in missing)


def test_the_api_server_knows_kinds_as_we_do(cluster: Cluster) -> None:
    shown = cluster.kubectl("api-resources", "--no-headers", "-o", "wide")
    kinds, wrong = Kinds(), []
    for line in shown.splitlines():
        words = line.split()
        at = next(index for index, word in enumerate(words) if word in ("true", "false"))
        name, version, namespaced, kind = words[0], words[at - 1], words[at], words[at + 1]
        if "." in version and not version.partition("/")[0].endswith(".k8s.io"):
            continue
        one = Rendered({"apiVersion": version, "kind": kind, "metadata": {"name": "x"}}, "")
        if (kinds.resource(one), kinds.is_cluster_wide(one)) != (name, namespaced == "false"):
            wrong.append(line)
    assert not wrong
    assert len(shown.splitlines()) > 40


STACK = {
    "fleet:environments": ["production"],
    "fleet:hub": {"context": "hub"},
    "fleet:argocd": {"manifest": "https://argocd.example.com/install.yaml"},
    "fleet:gitops": {"repo": "https://git.example.com/gitops-config.git"},
    "fleet:vault": {"address": "https://vault.example.com"},
    "fleet:externalSecrets": {"chart": "chart", "crds": "crds.yaml"},
    "fleet:spokes": [
        {"name": name, "environment": "production", "region": "eu", "server": f"https://{name}"}
        for name in ("prod-1", "prod-2")
    ],
    "fleet:applicationSets": SETS,
}


@pytest.fixture
def project(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose stack deploys the repo, on a machine without a kubeconfig."""
    folder = repo.folder.parent
    (folder / "stacks").mkdir()
    (folder / "stacks" / "Pulumi.production.yaml").write_text(yaml.safe_dump({"config": STACK}))
    (folder / "crds.yaml").write_text(yaml.safe_dump(STORE_CRD))
    (folder / "chart").mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("KUBECONFIG", str(folder / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["lint", "repo", *words])


def test_the_command(project: Path, repo: Repo) -> None:
    good = run()
    assert (good.exit_code, good.output) == (0, "repo: ok\n")
    assert json.loads(run("--json").stdout) == {"ok": True, "findings": []}
    repo.write(f"{BASE}/deployment.yaml", deployment("web"))
    repo.kustomization("clusters/prod-9/platform", resources=["../../../base/namespaces"])
    bad = run()
    assert bad.exit_code == 1
    lines = bad.output.splitlines()
    assert lines[0].startswith(
        f'{BASE}/deployment.yaml:1: image: Deployment web: image "web" has no tag'
    )
    assert lines[1].startswith(
        "warning: clusters/prod-9: directory: is of no spoke of these stacks"
    )
    assert lines[2] == "repo: 1 error, 1 warning"
    (error, warning) = json.loads(run("--json").stdout)["findings"]
    assert (error["rule"], error["line"], error["severity"]) == ("image", 1, "error")
    assert warning["severity"] == "warning"
    found = json.loads(run("--sarif").stdout)
    assert found["version"] == "2.1.0"
    (one,) = found["runs"]
    rules = {rule["id"] for rule in one["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in one["results"]} == {"image", "directory"} <= rules
    region = one["results"][0]["locations"][0]["physicalLocation"]
    assert region == {
        "artifactLocation": {"uri": f"{BASE}/deployment.yaml"},
        "region": {"startLine": 1},
    }


def test_bad_input(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "is no gitops-config repo" in CliRunner().invoke(app, ["lint", "chart"]).stderr
    assert "is no directory" in CliRunner().invoke(app, ["lint", "nowhere"]).stderr
    assert "no such stack file" in run("--stack", "other").stderr
    assert "--crds: absent.yaml can't be read" in run("--crds", "absent.yaml").stderr
    monkeypatch.setenv("PATH", str(project))
    missing = run()
    assert missing.exit_code == 2
    assert "there is no kustomize on PATH" in missing.stderr


def test_without_the_stack_that_owns_the_hub_it_says_what_it_can_not_check(project: Path) -> None:
    joins = {**STACK, "fleet:argocd": {}}
    (project / "stacks" / "Pulumi.production.yaml").write_text(yaml.safe_dump({"config": joins}))
    result = run()
    assert result.exit_code == 0
    assert "so the AppProjects aren't checked" in result.stderr


def test_a_repo_that_people_have_made_their_own(repo: Repo) -> None:
    """Line ends of Windows, links, hidden folders, files where directories are wanted: told, or passed over."""
    overlay = repo.folder / WEB / "kustomization.yaml"
    overlay.write_bytes(overlay.read_bytes().replace(b"\n", b"\r\n"))
    (repo.folder / "apps" / "README.md").write_text("ours\n")
    (repo.folder / "apps" / ".github").mkdir()
    (repo.folder / "apps" / "linked").symlink_to(repo.folder / "apps" / "web")
    (repo.folder / "clusters" / "notes").mkdir()
    (repo.folder / "teams").mkdir()
    assert repo.said() == []
    (repo.folder / "apps" / "empty").mkdir()
    (said,) = repo.said()
    assert said == "apps/empty: directory: has no overlays/<environment>, so it is deployed nowhere"


def test_a_directory_without_a_kustomization(repo: Repo, tmp_path: Path) -> None:
    """Argo CD applies its manifests as they are."""
    (repo.folder / WEB / "kustomization.yaml").unlink()
    repo.write(
        f"{WEB}/deployment.yaml",
        {**deployment("web"), "metadata": {"name": "web", "namespace": "web"}},
    )
    (said,) = repo.said()
    assert said.startswith(f"{WEB}/deployment.yaml:1: image: ")
    (tmp_path / "secret").write_text("a: b: hunter2\n")
    (repo.folder / WEB / "more.yaml").symlink_to(tmp_path / "secret")
    (said,) = repo.said()
    assert said == f"{WEB}: build: more.yaml is a link that leads out of the repo"
    (repo.folder / WEB / "more.yaml").unlink()
    (repo.folder / WEB / "more.yaml").write_text("a: b: hunter2\n")
    (said,) = repo.said()
    assert said.startswith(f"{WEB}: build: more.yaml is no YAML: ")
    assert "hunter2" not in said


def test_links_that_lead_round_and_round(repo: Repo) -> None:
    for name in ("one", "two", "three"):
        folder = repo.folder / WEB / name
        folder.mkdir()
        for other in ("one", "two", "three"):
            (folder / other).symlink_to(repo.folder / WEB)
    (repo.folder / WEB / "itself").symlink_to("itself")
    assert repo.said() == []


def test_a_link_that_leads_out_of_the_repo(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "kustomization.yaml").write_text("resources: []\n")
    shutil.rmtree(repo.folder / "clusters" / "prod-2" / "platform")
    (repo.folder / "clusters" / "prod-2" / "platform").symlink_to(tmp_path / "platform")
    assert any(
        one.startswith("clusters/prod-2/platform: directory: isn't there") for one in repo.said()
    )


@pytest.mark.parametrize(
    "text",
    ["", "- a list\n", "kind: [\n", "\t", "resources: 5\n", "resources: [5]\n", "!!x y\n", "\x00"],
)
def test_a_kustomization_that_is_none(repo: Repo, text: str) -> None:
    (repo.folder / WEB / "kustomization.yaml").write_text(text)
    assert {one.rule for one in repo.lint()} <= {"build"}
    assert repo.lint()


@pytest.mark.parametrize(
    "one",
    [
        {"apiVersion": "v1", "kind": "List", "items": []},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": []},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": None}},
        {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "x"}, "spec": {}},
        {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "x"}, "spec": {
            "secretStoreRef": 5, "data": [5, {"remoteRef": 5}], "dataFrom": [{"extract": None}]}},
        {"apiVersion": "x", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"when": "2024-01-01"}},
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"}},
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"},
         "spec": {"group": "apps", "names": {"kind": "Deployment", "plural": "d"}, "versions": [
             {"name": "v1", "schema": {"openAPIV3Schema": {"type": "nonsense", "properties": 5}}}]}},
    ],
)  # fmt: skip
def test_odd_objects_end_in_findings(repo: Repo, one: dict[str, Any]) -> None:
    repo.write(f"{BASE}/deployment.yaml", one)
    repo.lint()


def test_a_document_that_stands_for_billions(repo: Repo) -> None:
    (repo.folder / WEB / "kustomization.yaml").unlink()
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (repo.folder / WEB / "bomb.yaml").write_text("\n".join(lines))
    (said,) = repo.said()
    assert said == f"{WEB}: build: bomb.yaml is no YAML: it can't be read"


MANIFESTS = [
    yaml.safe_dump(one)
    for one in (deployment(), external_secret(), STORE_CRD, {"apiVersion": "v1", "kind": "Secret", "data": {"a": "b"}})
]  # fmt: skip


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
)
@given(content=documents(MANIFESTS))
def test_whatever_a_manifest_holds(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repo = a_repo(tmp_path_factory.mktemp("fuzz") / "repo")
    (repo.folder / WEB / "kustomization.yaml").unlink()
    (repo.folder / WEB / "all.yaml").write_bytes(content)
    repo.lint()


def test_what_is_left_out_is_no_application(repo: Repo) -> None:
    """Nor is anything else wrong with it: it goes nowhere."""
    repo.write("apps/tools/overlays/production/all.yaml", deployment())
    fleet = production()
    sets = [one.model_copy(update={"exclude": ["tools"]}) for one in fleet.application_sets]
    excluded = fleet.model_copy(update={"application_sets": sets})
    assert {one.rule for one in repo.lint()} == {"namespace", "network-policy"}
    assert repo.said(production=excluded) == [], "left out on purpose"


def test_a_right_to_one_object_is_none_to_all(repo: Repo) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x"}}
    repo.write(f"{WEB}/more.yaml", lease)
    repo.kustomization(WEB, namespace="web", resources=["../../base", "more.yaml"])
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]}
    for name, fine in (("y", False), ("x", True)):
        fleet = production(rbac={"rules": [{**rule, "resourceNames": [name]}]})
        assert (repo.said(production=fleet) == []) == fine


def test_a_store_of_the_service_s_own(repo: Repo) -> None:
    store = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": "own"},
    }
    repo.write(
        f"{BASE}/external-secret.yaml", external_secret(store="own", kind="SecretStore"), store
    )
    assert not [one for one in repo.said() if ": external-secret: " in one]


def test_a_store_for_namespaces_with_a_label_is_left_to_the_cluster(repo: Repo) -> None:
    stores = [
        {"name": "vault-backend", "namespaces": ["payments"], "namespaceLabels": {"vault": "yes"}}
    ]
    assert repo.said(production=production(secretStores=stores)) == []


def test_services_that_may_make_their_namespaces(repo: Repo) -> None:
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    repo.write(f"{WEB}/namespace.yaml", own)
    repo.kustomization(WEB, namespace="shop", resources=["../../base", "namespace.yaml"])
    kinds = {"services": {"clusterKinds": [{"group": "", "kind": "Namespace"}]}}
    assert {one.rule for one in repo.lint()} == {"project", "network-policy"}
    assert {one.rule for one in repo.lint(production=production(projects=kinds))} == {
        "network-policy"
    }
    repo.kustomization(WEB, namespace="shop", resources=["../../base"])
    assert {one.rule for one in repo.lint(production=production(projects=kinds))} == {
        "network-policy"
    }, "CreateNamespace makes it"


OWN = "https://git.example.com/web-config.git"
OWNER: dict[str, Any] = {"name": "web", "namespaces": ["web"]}


def _of_team(repo: Repo, **changes: Any) -> tuple[Fleet, Path]:
    """The repo with its service in a repo of the team's own."""
    own = repo.folder.parent / "own"
    own.mkdir()
    (repo.folder / "apps").rename(own / "apps")
    return production(teams=[{**OWNER, "repo": OWN, **changes}]), own


def _said(repo: Repo, fleet: Fleet, **teams: Path) -> list[str]:
    return [str(one) for one in lint(repo.folder, {"p": fleet}, [STORE_CRD], None, teams)]


def test_a_team_in_the_gitops_config_repo(repo: Repo) -> None:
    assert repo.said(p=production(teams=[OWNER])) == []
    found = repo.said(p=production(teams=[{**OWNER, "path": "deploy"}]))
    assert any(
        one.startswith(
            'apps/web: team: is deployed nowhere: it belongs to team "web", whose services are in deploy/'
        )
        for one in found
    )


def test_a_team_with_a_repo_of_its_own(repo: Repo) -> None:
    fleet, own = _of_team(repo)
    assert _said(repo, fleet, web=own) == []
    assert _said(repo, fleet) == [], "without its checkout, nothing is said of it"
    bad = own / "apps/web/base/deployment.yaml"
    bad.write_text(bad.read_text().replace("web:v1", "web"))
    (said,) = _said(repo, fleet, web=own)
    assert said.startswith(f"{own}/apps/web/base/deployment.yaml:1: image: ")


def test_a_service_that_is_not_its_team_s(repo: Repo) -> None:
    fleet, own = _of_team(repo)
    shutil.copytree(own / "apps/web", own / "apps/shop")
    assert [one for one in _said(repo, fleet, web=own) if ": team: " in one] == [
        f'{own}/apps/shop: team: is deployed nowhere: it is no service of team "web"; add it to `namespaces` under '
        "fleet:teams: shop"
    ]
    both = fleet.model_copy(
        update={
            "teams": [*fleet.teams, Team.model_validate({"name": "shop", "namespaces": ["shop"]})]
        }
    )
    (said,) = [one for one in _said(repo, both, web=own) if ": team: " in one]
    assert (
        'it belongs to team "shop", whose services are in apps/ of the gitops-config repo' in said
    )


def test_what_a_migration_has_left_behind_is_a_warning(repo: Repo) -> None:
    fleet, own = _of_team(repo)
    shutil.copytree(own / "apps", repo.folder / "apps")
    found = lint(repo.folder, {"p": fleet}, [STORE_CRD], None, {"web": own})
    assert [(one.path, one.rule, one.severity) for one in found] == [
        ("apps/web", "team", "warning")
    ]


def test_one_name_over_all_repos(repo: Repo) -> None:
    """`eu-web` of the central repo, on `prod`, and `web` of the team's, on `prod-eu`."""
    fleet, own = _of_team(repo)
    fleet = production(teams=[{**OWNER, "repo": OWN}], spokes=[a_spoke("prod"), a_spoke("prod-eu")])
    shutil.copytree(own / "apps/web", repo.folder / "apps/eu-web")
    found = [one for one in _said(repo, fleet, web=own) if ": application: " in one]
    assert len(found) == 1
    assert 'would be the Application "prod-eu-web"' in found[0]


def test_a_team_s_repo_that_is_none(repo: Repo) -> None:
    fleet, own = _of_team(repo)
    empty = repo.folder.parent / "empty"
    empty.mkdir()
    for teams, said in (
        (
            {"web": empty},
            'is not the repo of team "web": it has no apps/<service>/overlays/<environment>',
        ),
        ({"web": empty / "gone"}, "is no directory"),
        ({"wed": own}, 'no team "wed" has a repo of its own in these stacks; did you mean "web"?'),
    ):
        with pytest.raises(TreeError, match=re.escape(said)):
            _said(repo, fleet, **teams)


def test_a_team_deploys_into_no_other_namespace(repo: Repo) -> None:
    fleet, own = _of_team(repo)
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "namespace": "shop"},
    }
    overlay = own / "apps/web/overlays/production"
    (overlay / "theirs.yaml").write_text(yaml.safe_dump(theirs))
    file = overlay / "kustomization.yaml"
    document = {**yaml.safe_load(file.read_text())}
    document["resources"] = [*document["resources"], "theirs.yaml"]
    document.pop("namespace", None)
    file.write_text(yaml.safe_dump(document))
    said = [one for one in _said(repo, fleet, web=own) if ": project: " in one]
    assert len(said) == 1
    assert 'ConfigMap x: AppProject "team-web" keeps the namespace "shop" shut' in said[0]
