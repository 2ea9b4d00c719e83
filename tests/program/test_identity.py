"""Which cluster is which, through the whole program: on record, in the cluster Secrets, and refused when swapped."""

from __future__ import annotations

import pytest

from tests.program.conftest import Config, Refusal, RunProgram, example, identity_of, server_of

ONE, OTHER = "prod-us-east-1", "staging"


def by_argocd(auth: str) -> Config:
    """A stack whose spokes get External Secrets from Argo CD; with a `token`, Pulumi makes nothing on them."""
    config = example("lab")
    for spoke in config["fleet:spokes"]:
        spoke |= {"auth": {"kind": auth}, "delivery": "argocd"}
    config["fleet:externalSecrets"] |= {
        "chart": "external-secrets",
        "repo": "${FLEET_CHART_REPO}",
        "version": "${FLEET_EXTERNAL_SECRETS_VERSION}",
    }
    return config


def test_it_is_put_on_record(run_program: RunProgram) -> None:
    outputs = run_program("lab").outputs
    assert outputs["identities"]["hub"] == identity_of("hub")
    assert outputs["identities"]["spokes"][ONE] == identity_of(ONE)
    assert outputs["spokes"][ONE] == server_of(ONE)


@pytest.mark.parametrize("auth", ["serviceAccount", "token"])
def test_every_cluster_secret_says_which_cluster_it_is(run_program: RunProgram, auth: str) -> None:
    config = by_argocd(auth)
    run = run_program("lab", config)
    for spoke in config["fleet:spokes"]:
        secret = run.object("Secret", f"cluster-{spoke['name']}", "hub")
        annotations = secret.inputs["metadata"]["annotations"]
        assert annotations["fleet_identity"] == identity_of(spoke["name"])


@pytest.mark.parametrize("how", ["as it is", "token", "quarantine"])
def test_swapped_clusters_are_refused_before_anything_is_made(
    run_program: RunProgram, how: str
) -> None:
    config = by_argocd("token") if how == "token" else example("lab")
    for spoke in config["fleet:spokes"] if how == "quarantine" else ():
        spoke["quarantine"] = "its disks died"
    recorded = run_program("lab", config).outputs
    run_program("lab", config, recorded=recorded)
    with pytest.raises(Refusal, match=f'"{ONE}" is another cluster than before') as caught:
        run_program("lab", config, recorded=recorded, leads_to={ONE: OTHER, OTHER: ONE})
    assert not caught.value.registered
    with pytest.raises(Refusal, match="the hub is another cluster than before"):
        run_program("lab", config, recorded=recorded, leads_to={"hub": "spare"})
