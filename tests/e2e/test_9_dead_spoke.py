"""A spoke that doesn't answer: the others still converge, and the command says which one failed."""

from __future__ import annotations

from tests.e2e.fleet_lab import REPO, FleetLab

DEAD = "prod-eu-west-1"
ALIVE = ["prod-us-east-1", "staging"]


def test_the_others_converge(lab: FleetLab) -> None:
    lab.kill_part(f"kube-apiserver-{DEAD}")
    try:
        status = lab.run("fleet", "lab", "status", cwd=REPO, check=False)
        assert status.code == 1
        assert f"kube-apiserver-{DEAD}" in status.output, "the killed part is named"
        assert lab.run("fleet", "status", "--stack", "lab", check=False).code == 1

        lab.edit(lambda config: config["fleet:vault"].update(audience="vault-renewed"))
        with lab.changed_crds("dead-spoke"):
            result = lab.failing_up()
            assert f"{DEAD} does not answer" in result.output
            assert (
                f'"{DEAD}/external-secrets-crds" failed: its CRDs can\'t be applied'
                in result.output
            )
            for spoke in ALIVE:
                assert _audience(lab, spoke) == ["vault-renewed"], f"{spoke} has converged"
                assert lab.crd_mark(spoke) == "dead-spoke", f"{spoke} has the new CRDs"
            lab.run_controllers()
            lab.up()
            assert lab.crd_mark(DEAD) == "dead-spoke"
            assert _audience(lab, DEAD) == ["vault-renewed"]
            lab.nothing_to_change()
    finally:
        lab.run_controllers()

    lab.restore_stack_file()
    lab.up()
    assert lab.crd_mark(DEAD) == ""
    lab.nothing_to_change()


def _audience(lab: FleetLab, spoke: str) -> list[str]:
    store = lab.get(spoke, "clustersecretstore", "vault-backend")
    jwt = store["spec"]["provider"]["vault"]["auth"]["jwt"]
    return list(jwt["kubernetesServiceAccountToken"]["serviceAccountRef"]["audiences"])
