"""Which cluster is which: swapped, made anew, twice in a stack file, or the hub itself."""

from __future__ import annotations

from typing import Any

import pytest

from live import identity
from live.cluster_api import Refused, Unreachable
from live.hub_state import read
from live.identity import Identities
from live.ownership import problems
from stacks.model.access import ClusterAccess, Endpoint
from stacks.model.errors import StackError
from stacks.model.fleet import Fleet
from tests.unit.live_hub import LiveHub, a_fleet, a_spoke

HUB, ONE, TWO, NEW = (f"00000000-0000-0000-0000-00000000000{number}" for number in range(4))
LIVE: dict[str, Any] = {"hub": HUB, "prod-1": ONE, "staging": TWO}
RECORDED = Identities(HUB, {"prod-1": ONE, "staging": TWO})


def access(context: str) -> ClusterAccess:
    return ClusterAccess(context, f"https://{context}.example.com", "", "")


class World:
    """What each context leads to: an identity, or what it answers instead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live = dict(LIVE)
        self.asked: list[str] = []
        monkeypatch.setattr(identity, "read", self._read)

    def _read(self, access: ClusterAccess) -> str:
        self.asked.append(access.context)
        found = self.live[access.context]
        if isinstance(found, Exception):
            raise found
        return str(found)

    def require(
        self, fleet: Fleet | None = None, recorded: Identities = RECORDED, *, preview: bool = False
    ) -> tuple[Identities, list[str]]:
        fleet = fleet or a_fleet()
        endpoints = {
            spoke.name: Endpoint(spoke.server, "", access(spoke.context or spoke.name))
            for spoke in fleet.spokes
        }
        known, warnings = identity.require(
            fleet, "production", access("hub"), endpoints, recorded, preview=preview
        )
        return identity.of(known), warnings

    def refusal(self, fleet: Fleet | None = None, **how: Any) -> list[str]:
        with pytest.raises(StackError) as caught:
            self.require(fleet, **how)
        return [f"{one.path}: {one.message}" for one in caught.value.problems]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_the_same_clusters_as_before(world: World) -> None:
    assert world.require() == (RECORDED, [])


def test_the_first_time_they_are_put_on_record(world: World) -> None:
    assert world.require(recorded=Identities()) == (RECORDED, [])


@pytest.mark.parametrize("preview", [False, True])
def test_swapped(world: World, preview: bool) -> None:
    world.live |= {"prod-1": TWO, "staging": ONE}
    prod, staging = world.refusal(preview=preview)
    assert prod.startswith(
        f'fleet:spokes[0]: "prod-1" is another cluster than before: context "prod-1" leads to {TWO}, which is that of '
        f'"staging", and it was {ONE}.'
    )
    assert staging.startswith('fleet:spokes[1]: "staging" is another cluster than before')


def test_a_cluster_made_anew_is_let_in_by_its_key(world: World) -> None:
    world.live["prod-1"] = NEW
    (said,) = world.refusal()
    assert f"write `identity: {NEW}` here" in said
    assert "docs/recover.md" in said
    spokes = [a_spoke("prod-1", identity=NEW), a_spoke("staging", environment="staging")]
    known, (warning,) = world.require(a_fleet(spokes=spokes))
    assert known.spokes["prod-1"] == NEW, "from now on"
    assert "`--refresh --run-program`" in warning, (
        "else Pulumi takes the old one's objects for granted"
    )
    assert world.require(a_fleet(spokes=spokes), recorded=known) == (known, []), "it may stay"
    known, _ = world.require(recorded=known)
    world.live["prod-1"] = ONE
    assert world.refusal(recorded=known)


def test_the_key_lets_no_other_in(world: World) -> None:
    spokes = [a_spoke("prod-1", identity=NEW), a_spoke("staging", environment="staging")]
    (said,) = world.refusal(a_fleet(spokes=spokes), recorded=Identities())
    assert said.startswith(f'fleet:spokes[0].identity: "prod-1" is to be the cluster {NEW}')


def test_another_hub(world: World) -> None:
    world.live["hub"] = NEW
    (said,) = world.refusal()
    assert said.startswith('fleet:hub: the hub is another cluster than before: context "hub"')
    fleet = a_fleet(hub={"context": "hub", "identity": NEW})
    assert world.require(fleet)[0].hub == NEW


def test_a_spoke_that_is_the_hub(world: World) -> None:
    world.live["staging"] = HUB
    (said,) = world.refusal(recorded=Identities())
    assert said.startswith('fleet:spokes[1]: "staging" and the hub are one cluster')
    assert "`auth: {kind: inCluster}`" in said


def test_two_spokes_that_are_one(world: World) -> None:
    world.live["staging"] = ONE
    (said,) = world.refusal(recorded=Identities())
    assert '"staging" and "prod-1" are one cluster' in said


@pytest.mark.parametrize("preview", [False, True])
def test_a_dead_cluster_keeps_its_last_known_identity(world: World, preview: bool) -> None:
    world.live |= {"prod-1": Unreachable("no answer"), "hub": Unreachable("no answer")}
    assert world.require(preview=preview) == (RECORDED, [])


def test_who_may_not_be_asked_is_no_silence(world: World) -> None:
    world.live["prod-1"] = Refused("/api/v1/namespaces/kube-system: 403 forbidden")
    (said,) = world.refusal()
    assert said.startswith('fleet:spokes[0]: "prod-1" doesn\'t say which cluster it is')
    known, warnings = world.require(preview=True)
    assert known == RECORDED
    assert warnings == [said]


def test_only_clusters_that_pulumi_works_on_are_asked(world: World) -> None:
    spokes = [
        a_spoke("far", delivery="argocd", auth={"kind": "vault"}),
        a_spoke("ill", quarantine="its disks died"),
        a_spoke("here", auth={"kind": "inCluster"}),
    ]
    recorded = Identities(HUB, {"ill": ONE})
    known, _ = world.require(a_fleet(spokes=spokes), recorded)
    assert world.asked == ["hub"]
    assert known == Identities(HUB, {"ill": ONE, "here": HUB})


def test_one_cluster_by_two_names_on_one_hub() -> None:
    theirs = a_fleet(
        environments=["production"],
        spokes=[a_spoke("prod-1", identity=ONE)],
        applicationSets=[{"name": "services", "layout": "services"}],
    )
    hub = LiveHub().up(theirs, "production")
    spokes = [a_spoke("other", environment="staging", identity=ONE)]
    mine = a_fleet(argocd={}, environments=["staging"], spokes=spokes, applicationSets=[])
    (said,) = problems(mine, "staging", read(hub, "argocd"))
    assert said.path == "fleet:spokes[0]"
    assert f'is the very cluster ({ONE}) that the hub has as "prod-1"' in said.message
    assert 'belongs to stack "production"' in said.message
