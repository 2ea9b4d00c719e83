"""A spoke that is dead for longer: in quarantine it is left alone, and `pulumi up` succeeds."""

from __future__ import annotations

from tests.e2e.split import Split

DEAD, STACK, ALIVE = "prod-us-east-1", "production", "prod-eu-west-1"


def test_a_stopped_spoke_in_quarantine(split: Split) -> None:
    lab = split.lab
    before = {one["urn"] for one in lab.state(STACK)}
    lab.kill_part(f"kube-apiserver-{DEAD}")
    try:
        with split.edited(STACK):
            split.change_spoke(DEAD, quarantine="API server lost, ticket 4711")
            # A change for every spoke: the living get it, the dead one gets it when it is back.
            lab.edit(lambda config: config["fleet:vault"].update(tokenTtl=900), STACK)
            lab.edit(lambda config: config["fleet:vault"].update(audience="vault-renewed"), STACK)
            result = lab.up(STACK)
            assert "quarantine" in result.output
            assert DEAD in result.output
            assert "vault-renewed" in _audiences(split, ALIVE), "the others have converged"
            assert {one["urn"] for one in lab.state(STACK)} == before, "nothing is forgotten"
            status = lab.run("fleet", "status", "--stack", STACK, "--wait", "--timeout", "60")
            assert "ticket 4711" in status.output
    finally:
        lab.run_controllers()
    lab.up(STACK)
    assert "vault" in _audiences(split, ALIVE)
    lab.nothing_to_change(STACK)
    split.fine(DEAD)


def _audiences(split: Split, spoke: str) -> list[str]:
    store = split.lab.get(spoke, "clustersecretstore", "vault-backend")
    account = store["spec"]["provider"]["vault"]["auth"]["kubernetes"]["serviceAccountRef"]
    return list(account["audiences"])
