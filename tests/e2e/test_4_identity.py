"""Clusters that are not the ones they were: swapped in a kubeconfig, a hub that is none, a spoke made anew."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import all_fine
from tests.e2e.fleet_lab import REPO, FleetLab, Result

ONE, OTHER = "prod-us-east-1", "staging"


def _refused(lab: FleetLab) -> str:
    """What preview and up say alike; neither may change anything."""
    before = lab.state()
    preview = lab.run("pulumi", "preview", "--stack", "lab", "--non-interactive", check=False)
    refused: Result = lab.failing_up()
    assert preview.code != 0
    assert lab.state() == before
    said = [
        line for line in refused.output.splitlines() if "is another cluster than before" in line
    ]
    assert said
    assert all(line.strip().removeprefix("error: ") in preview.output for line in said)
    return refused.output


def test_servers_swapped_in_the_kubeconfig(lab: FleetLab, tmp_path: Path) -> None:
    one, other = (_uid(lab, name) for name in (ONE, OTHER))
    with lab.leading_elsewhere(tmp_path, {ONE: OTHER, OTHER: ONE}):
        said = _refused(lab)
    assert f'"{ONE}" is another cluster than before' in said
    assert f'leads to {other}, which is that of "{OTHER}", and it was {one}' in said


def test_an_empty_hub_in_the_place_of_the_hub(
    lab: FleetLab, new_cluster: str, tmp_path: Path
) -> None:
    with lab.leading_elsewhere(tmp_path, {"hub": new_cluster}):
        assert "the hub is another cluster than before" in _refused(lab)
    assert lab.get(new_cluster, "namespace", "argocd") is None, "nothing was made there"


def test_a_spoke_made_anew(lab: FleetLab) -> None:
    before = _uid(lab, OTHER)
    lab.run("fleet", "lab", "remove-cluster", OTHER, "--yes", cwd=REPO)
    lab.run("fleet", "lab", "add-cluster", OTHER, cwd=REPO)
    anew = _uid(lab, OTHER)
    said = _refused(lab)
    assert f"leads to {anew}, and it was {before}" in said
    assert f"write `identity: {anew}`" in said

    # As docs/recover.md has it.
    lab.edit(lambda config: _block(config)[OTHER].update({"identity": anew}))
    lab.run(
        "pulumi", "up", "--refresh", "--run-program", "--stack", "lab", "--yes", "--skip-preview",
        "--non-interactive",
    )  # fmt: skip
    lab.run_controllers()  # the new cluster's External Secrets
    all_fine(lab, 12)
    lab.nothing_to_change()
    lab.restore_stack_file()
    lab.nothing_to_change()
    annotations = lab.get("hub", "secret", "-n", "argocd", f"cluster-{OTHER}")["metadata"]
    assert annotations["annotations"]["fleet_identity"] == anew


def _uid(lab: FleetLab, context: str) -> str:
    return str(lab.get(context, "namespace", "kube-system")["metadata"]["uid"])


def _block(config: dict[str, list[dict[str, str]]]) -> dict[str, dict[str, str]]:
    return {one["name"]: one for one in config["fleet:spokes"]}
