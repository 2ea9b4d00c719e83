"""Bad input: a clear error that names file, path and fix, and nothing created, changed or deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.fleet_lab import FleetLab

Change = Callable[[dict[str, Any]], None]


def _spoke(index: int, **changes: Any) -> Change:
    return lambda config: config["fleet:spokes"][index].update(changes)


def _add(**block: Any) -> Change:
    whole = {"environment": "production", "region": "us-west-2", **block}
    return lambda config: config["fleet:spokes"].append(whole)


CASES: dict[str, tuple[Change, str, str]] = {
    "unknown key": (
        _spoke(0, enviroment="production"),
        "fleet:spokes[0].enviroment",
        "unknown key",
    ),
    "duplicate name": (_add(name="staging"), "fleet:spokes[3].name", "names are unique"),
    "duplicate server": (
        _add(name="prod-us-west-2", context="staging"),
        "fleet:spokes[3].server",
        "give it a context or `server:` of its own",
    ),
    "no DNS label": (_add(name="Prod_US_West_2"), "fleet:spokes[3].name", 'e.g. "prod-us-west-2"'),
    "unknown environment": (
        _spoke(1, environment="prodution"),
        "fleet:spokes[1].environment",
        'did you mean "production"?',
    ),
    "missing context": (
        _add(name="prod-ap-south-1"),
        "fleet:spokes[3].name",
        "add it to the kubeconfig, or write `context:`",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused_before_anything_is_done(lab: FleetLab, case: str) -> None:
    change, path, fix = CASES[case]
    before = lab.state()
    lab.edit(change)
    result = lab.up(check=False)
    assert result.code != 0
    told = [line for line in result.output.splitlines() if path in line]
    assert told, result.output
    assert all("stacks/Pulumi.lab.yaml:" in line and fix in line for line in told)
    assert "Traceback" not in result.output
    assert lab.state() == before
    checked = lab.run("fleet", "check", "--stack", "lab", check=False)
    assert checked.code == 2
    assert path in checked.output, "the offline check says the same"


def test_a_sealed_vault(lab: FleetLab) -> None:
    before = lab.state()
    lab.bao("operator", "seal")
    try:
        lab.edit(_spoke(0, labels={"team": "payments"}))
        result = lab.up(check=False)
        assert result.code != 0
        assert "fleet:vault.address: Vault at" in result.output
        assert "is sealed; unseal it" in result.output
        assert "Traceback" not in result.output
    finally:
        lab.unseal()
    assert lab.state() == before
    lab.restore_stack_file()
    lab.nothing_to_change()
