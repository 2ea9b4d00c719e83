"""What would make Argo CD give up Applications, or touch another stack's, is refused before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.fleet_lab import wait_until
from tests.e2e.split import Split

Change = Callable[[Split, dict[str, Any]], None]


def _spoke(spoke: str, /, **changes: Any) -> Change:
    return lambda split, config: split.block(config, spoke).update(changes)


def _drop(name: str) -> Change:
    return lambda split, config: config["fleet:spokes"].remove(split.block(config, name))


def _set(name: str, /, **changes: Any) -> Change:
    def change(split: Split, config: dict[str, Any]) -> None:
        next(one for one in config["fleet:applicationSets"] if one["name"] == name).update(changes)

    return change


def _drop_set(name: str) -> Change:
    def change(split: Split, config: dict[str, Any]) -> None:
        sets = config["fleet:applicationSets"]
        sets[:] = [one for one in sets if one["name"] != name]

    return change


def _add_spoke(**block: Any) -> Change:
    return lambda split, config: config["fleet:spokes"].append(block)


def _add_set(**block: Any) -> Change:
    return lambda split, config: config["fleet:applicationSets"].append(block)


def _other_environment(split: Split, config: dict[str, Any]) -> None:
    config["fleet:environments"] = ["production", "qa"]
    split.block(config, "prod-eu-west-1")["environment"] = "qa"


CASES: dict[str, tuple[str, Change, list[str]]] = {
    "a block is dropped": (
        "production",
        _drop("prod-us-east-1"),
        ["prod-us-east-1", "allowDeletion"],
    ),
    "a spoke is renamed": (
        "production",
        _spoke("prod-us-east-1", name="prod-use1", context="prod-us-east-1"),
        ["prod-us-east-1", "prod-use1", "allowDeletion"],
    ),
    "a selector changes": (
        "production",
        _set("platform-services", selector={"environment": "production", "region": "us-east-1"}),
        ["platform-services", "prod-us-west-2", "prod-eu-west-1", "allowDeletion"],
    ),
    "a label that a set selects on changes": (
        "production",
        _other_environment,
        [
            'label environment of "prod-eu-west-1" would change',
            "platform-services",
            "allowDeletion",
        ],
    ),
    "a set goes": (
        "production",
        _drop_set("platform-services"),
        ["platform-services", "prod-us-east-1", "allowDeletion"],
    ),
    "another stack's spoke": (
        "dev",
        _add_spoke(name="staging", environment="dev", region="us-east-1"),
        ["staging", "belongs to"],
    ),
    "another stack's server": (
        "dev",
        _add_spoke(name="dev-2", environment="dev", region="us-east-1", context="staging"),
        ["dev-2", "staging"],
    ),
    "another stack's set": (
        "dev",
        _add_set(
            name="platform-services", layout="directory", path="x", selector={"region": "us-east-1"}
        ),
        ["platform-services", "production"],
    ),
    "another repo than the hub's project has": (
        "dev",
        lambda _, config: config["fleet:gitops"].update(repo="https://git.example.com/x.git"),
        ["fleet:gitops.repo", "lets in", "https://git.example.com/x.git", "widen that project"],
    ),
    "deletion in production": (
        "production",
        _set("platform-services", preserve=False),
        ["platform-services", "preserve"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(split: Split, case: str) -> None:
    stack, change, told = CASES[case]
    before = split.lab.state(stack)
    applications = set(split.lab.applications())
    with split.edited(stack):
        split.lab.edit(lambda config: change(split, config), stack)
        result = split.lab.up(stack, check=False)
    assert result.code != 0
    for word in told:
        assert word in result.output, result.output
    assert f"stacks/Pulumi.{stack}.yaml" in result.output
    assert "Traceback" not in result.output
    assert "unhandled error" not in result.output, "a refusal ends in its own words"
    assert split.lab.state(stack) == before
    assert set(split.lab.applications()) == applications


ANOTHER = '"{}" is another cluster than before'


@pytest.mark.parametrize("spoke", ["prod-us-west-2", "prod-us-east-1"])
def test_a_spoke_whose_context_leads_elsewhere(split: Split, tmp_path: Path, spoke: str) -> None:
    """One that Pulumi makes nothing on, and one in quarantine, which answers."""
    lab = split.lab
    before = lab.state("production")
    secret = lab.get("hub", "secret", "-n", "argocd", f"cluster-{spoke}")
    there = lab.get(spoke, "namespace", "kube-system")["metadata"]["uid"]
    assert secret["metadata"]["annotations"]["fleet_identity"] == there
    with split.edited("production"), lab.leading_elsewhere(tmp_path, {spoke: "dev"}):
        if spoke == "prod-us-east-1":
            split.change_spoke(spoke, quarantine="its disks died")
        refused = lab.up("production", check=False)
        credential = lab.run(
            "fleet", "credential", "prod-us-west-2", "--stack", "production", check=False
        )
    assert refused.code != 0
    assert ANOTHER.format(spoke) in refused.output
    assert "which is that of" not in refused.output, "dev is another stack's"
    assert lab.state("production") == before
    if spoke == "prod-us-west-2":
        assert credential.code == 2
        assert f'"{spoke}" is the cluster {there}, and its context leads to' in credential.output


def test_an_argo_cd_without_the_project_is_not_joined(split: Split) -> None:
    before = split.lab.state("dev")
    split.lab.kubectl("hub", "create", "namespace", "argo")
    try:
        with split.edited("dev"):
            split.lab.edit(
                lambda config: config.update({"fleet:argocd": {"namespace": "argo"}}), "dev"
            )
            result = split.lab.up("dev", check=False)
    finally:
        split.lab.kubectl("hub", "delete", "namespace", "argo")
    assert result.code != 0
    assert (
        'namespace "argo" of the hub (hub) has no AppProjects "platform", "services"'
        in result.output
    )
    assert split.lab.state("dev") == before


def test_the_hub_s_owner_can_t_let_go_of_argo_cd(split: Split) -> None:
    before = split.lab.state("hub")
    with split.edited("hub"):
        split.lab.edit(lambda config: config["fleet:argocd"].pop("manifest"), "hub")
        result = split.lab.up("hub", check=False)
    assert result.code != 0
    assert "manifest" in result.output
    assert split.lab.state("hub") == before


def test_a_hub_that_others_share_is_not_destroyed_by_mistake(split: Split) -> None:
    before = split.lab.state("hub")
    # Its preview is what refuses; with --skip-preview only the namespace, and what is in it, would be left.
    result = split.lab.run(
        "pulumi", "destroy", "--stack", "hub", "--yes", "--non-interactive", check=False
    )
    assert result.code != 0
    assert "protect" in result.output
    assert split.lab.state("hub") == before
    assert split.lab.get("hub", "namespace", "argocd")["status"]["phase"] == "Active"


def test_nor_a_stack_of_a_protected_environment(split: Split) -> None:
    """Its cluster Secrets, and what its spokes are to Vault."""
    before = split.lab.state("production")
    kinds = {one["type"].rpartition(":")[2] for one in before if one.get("protect")}
    assert {"Secret", "ExternalSecret", "AuthBackend", "AuthBackendRole", "Policy"} <= kinds
    for run_program in ((), ("--run-program",)):
        result = split.lab.run(
            "pulumi", "destroy", "--stack", "production", "--yes", "--non-interactive",
            *run_program, check=False,
        )  # fmt: skip
        assert result.code != 0
        assert "cluster-secret" in result.output
        assert "because it is protected" in result.output
    assert split.lab.state("production") == before
    assert split.lab.get("hub", "secret", "-n", "argocd", "cluster-prod-us-east-1")
    split.lab.nothing_to_change("production")


def test_nor_without_a_preview_but_for_its_sets(split: Split) -> None:
    """Nothing that a protected cluster Secret depends on goes: External Secrets above all."""
    before = {one["urn"] for one in split.lab.state("production")}
    result = split.lab.run(
        "pulumi", "destroy", "--stack", "production", "--yes", "--skip-preview", "--non-interactive",
        check=False,
    )  # fmt: skip
    assert result.code != 0
    try:
        gone = before - {one["urn"] for one in split.lab.state("production")}
        assert gone, "Pulumi begins, where it doesn't look first"
        engine = "urn:pulumi:production::fleet::pulumi:providers:pulumi::default"
        assert not [urn for urn in gone - {engine} if "FleetApplicationSets" not in urn], gone
    finally:
        split.lab.up("production")
    wait_until("its Applications are good again", lambda: _good(split), timeout=300)


def _good(split: Split) -> bool:
    result = split.lab.run("fleet", "status", "--stack", "production", check=False)
    return result.code == 0


def test_adding_a_spoke_to_one_stack_changes_no_other(split: Split) -> None:
    hub_objects = _versions(split)
    others = {stack: split.lab.state(stack) for stack in ("hub", "production", "staging")}
    with split.edited("dev"):
        split.lab.edit(
            lambda config: config["fleet:spokes"].append(
                {
                    "name": "dev-2",
                    "environment": "dev",
                    "region": "us-east-1",
                    "server": "https://dev-2.example.com",
                    "auth": {"kind": "gke"},
                    "delivery": "argocd",
                    "jwtPublicKeys": [str(split.lab.home / "pki" / "dev" / "sa.pub")],
                }
            ),
            "dev",
        )
        try:
            split.lab.up("dev")
            assert _versions(split).items() >= hub_objects.items()
            for stack, state in others.items():
                assert split.lab.state(stack) == state
                split.lab.nothing_to_change(stack)
        finally:
            split.lab.edit(lambda config: config["fleet:spokes"].pop(), "dev")
            refused = split.lab.up("dev", check=False)
            split.lab.allow_deletion("dev-2", stack="dev")
            split.lab.up("dev")
    assert refused.code != 0, "leaving is refused until it is allowed"
    assert split.lab.get("hub", "secret", "-n", "argocd", "cluster-dev-2") is None
    split.lab.kubectl("hub", "-n", "argocd", "delete", "applications", "-l", "cluster_name=dev-2")
    split.lab.nothing_to_change("dev")


def _versions(split: Split) -> dict[str, object]:
    """Every object of the other stacks on the hub, with the version that any change would raise."""
    found = split.lab.get("hub", "applicationsets,appprojects,secrets", "-n", "argocd")["items"]
    return {
        f"{one['kind']}/{one['metadata']['name']}": (
            one["metadata"]["uid"], one["metadata"].get("generation"), one["metadata"].get("labels"))
        for one in found
        if one["metadata"].get("labels", {}).get("fleet_stack") in ("hub", "production", "staging")
    }  # fmt: skip
