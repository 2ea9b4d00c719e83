"""One hub, three environments, a stack each: deployed at the same time, none touches another's."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.e2e.fleet_lab import wait_until
from tests.e2e.leaks import found_in
from tests.e2e.places import client_keys, leaks_in_files, printed
from tests.e2e.split import ENVIRONMENTS, HUB, SPOKES, Split


@pytest.mark.parametrize("spoke", SPOKES)
def test_every_kind_of_spoke_is_handed_over(split: Split, spoke: str) -> None:
    split.fine(spoke)
    written = split.lab.written(SPOKES[spoke])

    def arrived() -> bool:
        return (
            split.lab.secret(spoke, "payment-service", "payment-db-credentials").get("password")
            == written["password"]
        )

    wait_until(f"Vault's value is on {spoke}", arrived)


@pytest.mark.parametrize("stack", [HUB, *ENVIRONMENTS])
def test_nothing_is_left_to_do(split: Split, stack: str) -> None:
    split.lab.nothing_to_change(stack)
    status = split.lab.run("fleet", "status", "--stack", stack, "--wait", "--timeout", "60")
    assert status.code == 0


def test_each_stack_has_its_own_objects_only(split: Split) -> None:
    secrets = split.lab.get(
        "hub", "secrets", "-n", "argocd", "-l", "argocd.argoproj.io/secret-type=cluster"
    )
    owners = {
        one["metadata"]["labels"]["cluster_name"]: one["metadata"]["labels"]["fleet_stack"]
        for one in secrets["items"]
    }
    assert owners == SPOKES
    sets = split.lab.get("hub", "applicationsets", "-n", "argocd")["items"]
    assert {one["metadata"]["labels"]["fleet_stack"] for one in sets} == set(ENVIRONMENTS)
    assert "platform-services" in {one["metadata"]["name"] for one in sets}
    for application in split.lab.applications().values():
        owner = application["metadata"]["ownerReferences"][0]["name"]
        (made_by,) = [one for one in sets if one["metadata"]["name"] == owner]
        cluster = application["metadata"]["labels"]["cluster_name"]
        assert SPOKES[cluster] == made_by["metadata"]["labels"]["fleet_stack"], application


def test_the_cluster_secrets_hold_what_argo_cd_parses(split: Split) -> None:
    def config(spoke: str) -> dict[str, object]:
        return dict(json.loads(split.lab.secret("hub", "argocd", f"cluster-{spoke}")["config"]))

    assert set(config("prod-us-east-1")) == {"bearerToken", "tlsClientConfig"}
    assert set(config("prod-us-west-2")) == {"bearerToken", "tlsClientConfig"}
    assert {"certData", "keyData"} <= set(config("prod-eu-west-1")["tlsClientConfig"])  # type: ignore[call-overload]
    assert config("staging")["execProviderConfig"]["args"] == ["staging"]  # type: ignore[index]


def test_a_credential_from_vault_never_enters_the_state(split: Split) -> None:
    credentials = _credentials(split)
    exported = split.lab.run(
        "pulumi", "stack", "export", "--show-secrets", "--stack", "production"
    ).output
    assert "prod-us-west-2" in exported
    assert set(found_in(exported, credentials)) == {
        "the token of prod-us-east-1",
        "the key of prod-eu-west-1",
    }, "the others of this stack are there, so what the test looks for can be found"


def test_no_secret_leaks(split: Split) -> None:
    wanted = {
        **_credentials(split),
        **client_keys(split.lab, [HUB, *SPOKES]),
        "Vault's token": split.lab.env["VAULT_TOKEN"],
        **{f"{name}'s password": split.lab.written(name)["password"] for name in ENVIRONMENTS},
    }
    places = printed(split.lab, [HUB, *ENVIRONMENTS])
    leaks = [
        f"{name} in {place}"
        for place, content in places.items()
        for name in found_in(content, wanted)
    ]
    assert not leaks
    assert not leaks_in_files(split.lab, wanted)


def _credentials(split: Split) -> dict[str, str]:
    """What Argo CD logs in with to production's spokes, each of another kind."""

    def config(spoke: str) -> dict[str, Any]:
        return dict(json.loads(split.lab.secret("hub", "argocd", f"cluster-{spoke}")["config"]))

    key = config("prod-eu-west-1")["tlsClientConfig"]["keyData"]
    found = {
        "the token of prod-us-east-1": config("prod-us-east-1")["bearerToken"],
        "the token of prod-us-west-2": config("prod-us-west-2")["bearerToken"],
        "the key of prod-eu-west-1": base64.b64decode(key).decode(),
    }
    assert all(len(value) > 100 for value in found.values())
    return found


def test_both_deliveries_leave_the_same_on_a_spoke(split: Split) -> None:
    stores = {
        spoke: split.lab.get(spoke, "clustersecretstore", "vault-backend")["spec"]
        for spoke in ("prod-us-west-2", "staging")
    }
    for spoke, environment in (("prod-us-west-2", "production"), ("staging", "staging")):
        vault = stores[spoke]["provider"]["vault"]
        assert vault.pop("namespace") == environment
        assert vault["auth"]["jwt"].pop("path") == f"jwt-{spoke}"
    assert stores["prod-us-west-2"] == stores["staging"]
    for spoke in stores:
        role = split.lab.get(spoke, "clusterrole", "fleet-external-secrets")
        tokens = [rule for rule in role["rules"] if "serviceaccounts/token" in rule["resources"]]
        assert not tokens, "no token for every ServiceAccount of the cluster"
        own = split.lab.get(spoke, "role", "-n", "external-secrets", "fleet-external-secrets-token")
        tokens = [rule for rule in own["rules"] if "serviceaccounts/token" in rule["resources"]]
        assert [rule["resourceNames"] for rule in tokens] == [["external-secrets"]]


def test_argo_cd_has_the_least_privilege(split: Split) -> None:
    def may(*what: str) -> bool:
        asked = ("auth", "can-i", *what, "--as=system:serviceaccount:kube-system:argocd-manager")
        return split.lab.run("kubectl", "--context", "dev", *asked, check=False).code == 0

    assert may("create", "deployments", "-n", "payment-service")
    assert may("create", "externalsecrets.external-secrets.io", "-n", "payment-service")
    assert may("create", "namespaces")
    for refused in (
        ("get", "secrets", "-n", "payment-service"),
        ("create", "pods", "--subresource=exec", "-n", "payment-service"),
        ("create", "serviceaccounts", "--subresource=token", "-n", "external-secrets"),
        ("escalate", "clusterroles"),
        ("create", "validatingwebhookconfigurations"),
    ):
        assert not may(*refused), refused
