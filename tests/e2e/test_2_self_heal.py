"""What a person changes on a spoke by hand comes back as git has it, without anyone acting."""

from __future__ import annotations

from tests.e2e.fleet_lab import FleetLab, wait_until

SPOKE, SERVICE = "prod-eu-west-1", "auth-service"


def test_an_edited_deployment_comes_back(lab: FleetLab) -> None:
    before = lab.image(SPOKE, SERVICE, SERVICE)
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"%s","image":"hacked:1"}]}}}}'
    container = lab.get(SPOKE, "deployment", "-n", SERVICE, SERVICE)["spec"]["template"]["spec"][
        "containers"
    ][0]
    lab.kubectl(
        SPOKE, "-n", SERVICE, "patch", "deployment", SERVICE, "-p", patch % container["name"]
    )
    took = wait_until("the image is back", lambda: lab.image(SPOKE, SERVICE, SERVICE) == before)
    print(f"healed after {took:.1f} s")


def test_a_deleted_deployment_comes_back(lab: FleetLab) -> None:
    uid = lab.get(SPOKE, "deployment", "-n", SERVICE, SERVICE)["metadata"]["uid"]
    lab.kubectl(SPOKE, "-n", SERVICE, "delete", "deployment", SERVICE)

    def is_new() -> bool:
        found = lab.get(SPOKE, "deployment", "-n", SERVICE, SERVICE)
        return bool(found) and found["metadata"]["uid"] != uid

    wait_until("a new Deployment", is_new)
