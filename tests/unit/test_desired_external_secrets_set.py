"""The specs that Argo CD gets to deliver External Secrets. What it makes of them is shown in the lab."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from stacks.desired import contract, external_secrets_set, projects, sets
from stacks.model.fleet import Fleet
from tests.unit.live_hub import a_fleet

STORES = re.compile(r"\{\{\.metadata\.annotations\.external_secrets_stores \|[^\n]*?\"\}\}(?=\])")
HUB = "https://kubernetes.default.svc"


def _fleet(**sections: Any) -> Fleet:
    external_secrets = {
        "chart": "external-secrets",
        "repo": "https://charts.example.com",
        "version": "0.19.2",
        "delivery": "argocd",
        **sections.pop("externalSecrets", {}),
    }
    return a_fleet(externalSecrets=external_secrets, **sections)


@pytest.mark.parametrize(
    ("settings", "repo"),
    [
        ({"repo": "https://charts.example.com"}, "https://charts.example.com"),
        ({"repo": "oci://ghcr.io/charts"}, "ghcr.io/charts"),
        ({"repo": None, "chart": "oci://ghcr.io/charts/external-secrets"}, "ghcr.io/charts"),
    ],
)
def test_the_chart_as_argo_cd_names_it(settings: dict[str, str | None], repo: str) -> None:
    fleet = _fleet(externalSecrets=settings)
    source = external_secrets_set.set_spec(fleet, "lab")["template"]["spec"]["source"]
    assert source.pop("helm")["releaseName"] == "external-secrets"
    assert source == {"repoURL": repo, "chart": "external-secrets", "targetRevision": "0.19.2"}
    assert projects.external_secrets_spec(fleet)["sourceRepos"] == [repo]


def test_the_set_that_delivers_external_secrets() -> None:
    fleet = _fleet(externalSecrets={"namespace": "secrets"})
    spec = external_secrets_set.set_spec(fleet, "lab")
    (generator,) = spec["generators"]
    chosen = generator["clusters"]["selector"]
    assert sets.matches(chosen, contract.labels(fleet, "lab", fleet.spokes[0]))
    assert spec["syncPolicy"]["preserveResourcesOnDeletion"] is True
    assert spec["template"]["metadata"]["name"] == "{{.name}}-external-secrets"
    made = spec["template"]["spec"]
    assert made["project"] == "external-secrets-lab"
    assert made["destination"] == {"server": "{{.server}}", "namespace": "secrets"}
    assert made["syncPolicy"]["syncOptions"] == ["CreateNamespace=true", "ServerSideApply=true"]
    project = projects.external_secrets_spec(fleet)
    assert project["destinations"] == [{"server": f"!{HUB}", "namespace": "secrets"}]


def test_values_are_the_fleet_s_and_the_contract_s() -> None:
    own = {"kind": "ConfigMap", "data": {"note": "{{ .Release.Name }} and 'quotes' and \\"}}
    fleet = _fleet(
        externalSecrets={
            "crds": "crds.yaml",
            "values": {"podLabels": {"a": "{{b}}"}, "extraObjects": [own]},
        }
    )
    text = external_secrets_set.values(fleet)
    carried = contract.annotations(fleet, fleet.spokes[0])[contract.STORES_ANNOTATION]
    rendered, filled = STORES.subn(lambda _: carried[1:-1], text)
    assert filled == 1
    assert "{{" not in rendered.replace("{{`{{`}}", ""), "nothing else is a template"
    values = yaml.safe_load(rendered.replace("{{`{{`}}", "{{"))
    assert values["extraObjects"] == [own, *json.loads(carried)]
    assert values["podLabels"] == {"a": "{{b}}"}
    assert values["installCRDs"] is True, "Argo CD has the chart alone"
    assert values["crds"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false"
    assert values["serviceAccount"]["name"] == "external-secrets"


def test_values_without_objects_of_their_own_are_the_contract_s_alone() -> None:
    assert external_secrets_set.values(_fleet()).splitlines()[-1] == (
        "extraObjects: [{{.metadata.annotations.external_secrets_stores"
        ' | trimAll "[]" | replace "{{" "{{`{{`}}"}}]'
    )
