"""What Fleet lets External Secrets do, against what the chart of each version does, as an API server decides."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from lab.toolchain import at_hand, ensure
from lab.toolchain.cache import Cache
from lab.toolchain.catalogue import GO
from lab.toolchain.sources import go_environment
from stacks.desired import external_secrets_rights as rights
from stacks.desired import external_secrets_values, vault_identity
from stacks.desired.objects import RBAC
from stacks.model.fleet import Fleet
from tests.real.conftest import Cluster

MODULE = "github.com/external-secrets/external-secrets"
VERSIONS = ("0.19.2", "0.20.4", "1.3.2")
"""Those whose chart is to be had as a Go module: from 2.0 on its path has changed, and no proxy has it."""
CONTROLLER_S = ("external-secrets-controller", "external-secrets-leaderelection")
SWITCH = "{{- if .Values.rbac.serviceAccountTokenCreate }}"
GENERIC = {"enabled": True, "resources": [{"apiGroup": "argoproj.io", "resources": ["applications"],
                                           "verbs": ["get", "create"]}]}  # fmt: skip


@pytest.fixture(scope="module", params=VERSIONS)
def chart(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    go = at_hand(GO, Cache.default())
    assert go, "the lab's tools have been built"
    done = subprocess.run(
        [go.folder / "go", "mod", "download", "-json", f"{MODULE}@v{request.param}"],
        env=go_environment(),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    copied = tmp_path_factory.mktemp("chart") / "external-secrets"
    source = Path(json.loads(done.stdout)["Dir"]) / "deploy/charts/external-secrets"
    shutil.copytree(source, copied, copy_function=shutil.copyfile)
    about = yaml.safe_load((copied / "Chart.yaml").read_text())
    del about["dependencies"]  # off by default, and in a registry
    copied.chmod(0o755)
    (copied / "Chart.yaml").write_text(yaml.safe_dump(about))
    return copied


@pytest.fixture
def with_switch(tmp_path: Path) -> Path:
    """As 2.5.0 has it: the rule for tokens only where a value says so. Made of an earlier one, as it can't be had."""
    found = ensure(("external-secrets",), console=Console(stderr=True)).share("external-secrets")
    copied = tmp_path / "chart"
    shutil.copytree(found / "chart", copied)
    rbac = copied / "templates/rbac.yaml"
    text, rule = (
        rbac.read_text(),
        '  - apiGroups:\n    - ""\n    resources:\n    - "serviceaccounts/token"\n',
    )
    rule += '    verbs:\n    - "create"\n'
    assert rule in text
    rbac.write_text(text.replace(rule, f"  {SWITCH}\n{rule}  {{{{- end }}}}\n"))
    values = copied / "values.yaml"
    said = values.read_text().replace("\nrbac:\n", "\nrbac:\n  serviceAccountTokenCreate: true\n")
    values.write_text(said)
    return copied


def _fleet(chart: Path, **values: Any) -> Fleet:
    return Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "gitops": {"repo": "https://git.example.com/gitops-config.git"},
            "vault": {"address": "https://vault.example.com"},
            "externalSecrets": {"chart": str(chart), "namespace": "default", "values": values},
            "spokes": [{"name": "prod-1", "environment": "production", "region": "eu-west-1"}],
        }
    )


def _made(fleet: Fleet) -> list[dict[str, Any]]:
    return rights.objects(fleet, vault_identity.of_spoke(fleet, fleet.spokes[0]))


def _rendered(chart: Path, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects of RBAC that the chart renders to."""
    helm = ensure(("helm",), console=Console(stderr=True)).bin("helm")
    done = subprocess.run(
        [helm, "template", "external-secrets", chart, "--namespace", "default", "--values", "-"],
        input=yaml.safe_dump(dict(values)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    objects = yaml.load_all(done.stdout, Loader=yaml.CSafeLoader)
    return [one for one in objects if one and one["apiVersion"].startswith("rbac.")]


def _asked(objects: list[dict[str, Any]], account: str) -> Iterator[dict[str, Any]]:
    """Every single right of the controller's roles, as a question about a ServiceAccount."""
    for one in objects:
        if one["metadata"]["name"] in CONTROLLER_S and "rules" in one:
            namespace = one["metadata"].get(
                "namespace", "" if one["kind"] == "ClusterRole" else "default"
            )
            for rule in one["rules"]:
                for group, resource, verb, name in itertools.product(
                    rule["apiGroups"], rule["resources"], rule["verbs"], rule.get("resourceNames", [""])
                ):  # fmt: skip
                    resource, _, part = resource.partition("/")
                    asked = {"group": group, "resource": resource, "subresource": part, "verb": verb,
                             "namespace": namespace, "name": name}  # fmt: skip
                    yield _review(asked, account)


def _review(asked: Mapping[str, str], account: str) -> dict[str, Any]:
    user = f"system:serviceaccount:default:{account}"
    attributes = {key: value for key, value in asked.items() if value}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }


def _apply(cluster: Cluster, objects: list[dict[str, Any]]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(listed)
    )


def _answers(cluster: Cluster, reviews: list[dict[str, Any]]) -> dict[str, bool]:
    """Whether each is allowed, by what is asked."""
    listed = {"apiVersion": "v1", "kind": "List", "items": reviews}
    text, found = cluster.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(listed)), {}
    while text := text.lstrip():
        one, end = json.JSONDecoder().raw_decode(text)
        asked = json.dumps(one["spec"]["resourceAttributes"], sort_keys=True)
        found[asked], text = bool(one["status"].get("allowed")), text[end:]
    return found


TOKEN = {
    "resource": "serviceaccounts",
    "subresource": "token",
    "verb": "create",
    "namespace": "default",
}
TOKENS = {
    "of its own": {**TOKEN, "name": "external-secrets"},
    "of another": {**TOKEN, "name": "argocd-manager"},
}


def _tokens(cluster: Cluster) -> dict[str, bool]:
    return {
        said: all(_answers(cluster, [_review(asked, "external-secrets")]).values())
        for said, asked in TOKENS.items()
    }


@pytest.fixture(autouse=True)
def clean(cluster: Cluster) -> Iterator[None]:
    yield
    for kind in ("clusterroles", "clusterrolebindings", "roles", "rolebindings"):
        names = cluster.kubectl("get", kind, "-n", "default", "-o", "name").split()
        mine = [name for name in names if "external-secrets" in name]
        if mine:
            cluster.kubectl("delete", "-n", "default", *mine)


@pytest.mark.parametrize("values", [{}, {"genericTargets": GENERIC}], ids=["as it is", "generic"])
def test_all_that_the_chart_s_controller_needs_but_every_token(
    cluster: Cluster, chart: Path, values: dict[str, Any]
) -> None:
    fleet = _fleet(chart, **values)
    rendered = _rendered(chart, external_secrets_values.chart_values(fleet))
    assert not [one for one in rendered if "cert-controller" not in one["metadata"]["name"]]
    _apply(cluster, _made(fleet))
    needed = list(
        _asked(_rendered(chart, {**values, "rbac": {"create": True}}), "external-secrets")
    )
    assert len(needed) > 60
    refused = [asked for asked, allowed in _answers(cluster, needed).items() if not allowed]
    assert refused == [json.dumps({"resource": "serviceaccounts", "subresource": "token", "verb": "create"},
                                  sort_keys=True)]  # fmt: skip
    assert _tokens(cluster) == {"of its own": True, "of another": False}


def test_a_chart_that_can_leave_the_tokens_out_makes_the_rest_itself(
    cluster: Cluster, with_switch: Path
) -> None:
    fleet = _fleet(with_switch)
    rendered = _rendered(with_switch, external_secrets_values.chart_values(fleet))
    assert [one for one in rendered if one["metadata"]["name"] == "external-secrets-controller"]
    _apply(cluster, [*rendered, *_made(fleet)])
    assert _tokens(cluster) == {"of its own": True, "of another": False}
    needed = list(_asked(rendered, "external-secrets"))
    assert all(_answers(cluster, needed).values())
    everybody = [
        one["metadata"]["name"]
        for one in [*rendered, *_made(fleet)]
        if f"{RBAC}/aggregate-to-edit" in (one["metadata"].get("labels") or {})
        for rule in one["rules"]
        if "clustersecretstores" in rule["resources"] and "update" in rule["verbs"]
    ]
    assert everybody == [], "who may edit a namespace changes no ClusterSecretStore"
