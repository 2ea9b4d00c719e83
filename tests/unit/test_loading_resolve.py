"""Where each spoke is: what the kubeconfig fills in, and what leads to the wrong place."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.loading.kubeconfig import Kubeconfig
from stacks.loading.resolve import resolve
from stacks.model.fields import without_secrets
from tests.unit.live_hub import a_fleet, a_spoke

HUB, ONE = "https://hub.example.com", "https://one.example.com"
UID = "00000000-0000-0000-0000-000000000001"


def kubeconfig(**servers: str) -> Kubeconfig:
    return Kubeconfig(
        "the kubeconfig",
        contexts={name: {"cluster": name, "user": name} for name in servers},
        clusters={name: {"server": server} for name, server in servers.items()},
        users={name: {"token": "t"} for name in servers},
    )


def block(name: str, **more: Any) -> dict[str, Any]:
    """A spoke that leaves its server to the kubeconfig."""
    return {key: value for key, value in a_spoke(name, **more).items() if key != "server"}


@pytest.mark.parametrize(
    "server", [HUB, f"{HUB}:443", f"{HUB}/", "https://HUB.example.com", "https://hub.example.com."]
)
def test_a_context_that_leads_to_the_hub_however_it_is_spelt(server: str) -> None:
    _, (problem,) = resolve(a_fleet(spokes=[block("one")]), kubeconfig(hub=HUB, one=server))
    assert problem.path == "fleet:spokes[0].name"
    assert "leads to the hub itself" in problem.message


def test_what_the_block_itself_says_stays_known() -> None:
    fleet = a_fleet(spokes=[block("one"), a_spoke("two", server=ONE)])
    resolved, problems = resolve(fleet, kubeconfig(hub=HUB, one=ONE, two="https://two"))
    assert not problems
    assert [spoke.server for spoke in resolved.spokes] == [ONE, ONE]
    assert [spoke.server_is_written for spoke in resolved.spokes] == [False, True]
    assert [spoke.context for spoke in resolved.spokes] == ["one", "two"]


def test_an_identity_that_nobody_can_ask_for() -> None:
    vault = {"auth": {"kind": "vault"}, "delivery": "argocd"}
    far = a_spoke("far", **vault, identity=UID)
    here = block("here", auth={"kind": "inCluster"}, identity=UID)
    _, problems = resolve(a_fleet(spokes=[far, here]), kubeconfig(hub=HUB))
    one, other = [f"{problem.path}: {problem.message}" for problem in problems]
    assert one.startswith("fleet:spokes[0].identity: nobody here can ask for it")
    assert other.startswith("fleet:spokes[1].identity: is the hub's")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://[::1]:6443/x", "https://[::1]:6443/x"),
        ("https://host:6443", "https://host:6443"),
        ("host:6443?token=hunter2", "host:6443…"),
        ("https://root:hunter2", "https://root:…"),
        ("https://root:hun/ter2@host/x", "https://…@host/x"),
        ("https://root:hun@ter2@host/x#y", "https://…@host/x…"),
    ],
)
def test_what_is_shown_of_an_address(address: str, shown: str) -> None:
    assert without_secrets(address) == shown
