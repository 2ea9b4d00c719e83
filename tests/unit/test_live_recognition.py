"""Which cluster is which: swapped, made anew, twice in a stack file, or the hub itself."""

from __future__ import annotations

from typing import Any

import pytest

from live import identity, recognition
from live.cluster_api import ClusterAPI, LoggedOut, NotFound, Refused, Unreachable
from live.hub_state import read
from live.identity import Identities
from live.ownership import problems as ownership_problems
from stacks.loading.kubeconfig import Kubeconfig
from stacks.loading.resolve import resolve
from stacks.model.errors import StackError
from stacks.model.fleet import Fleet
from tests.unit.live_hub import LiveHub, a_fleet, a_spoke

HUB, ONE, TWO, NEW = (f"00000000-0000-0000-0000-00000000000{number}" for number in range(4))
LIVE: dict[str, Any] = {"hub": HUB, "prod-1": ONE, "staging": TWO}
RECORDED = Identities(HUB, {"prod-1": ONE, "staging": TWO})
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
TOKEN: dict[str, Any] = {"token": "t"}


class World:
    """What each context leads to: an identity, or what it answers instead; and who logs in by it, at which server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live = dict(LIVE)
        self.users: dict[str, dict[str, Any]] = {}
        self.servers: dict[str, str] = {}
        self.asked: list[str] = []
        self.silent: set[str] = set()
        self.unknown: set[str] = set()
        monkeypatch.setattr(ClusterAPI, "json", lambda api, path: self._json(api._context, path))

    def _json(self, context: str, path: str) -> Any:
        assert path == KUBE_SYSTEM
        self.asked.append(context)
        found = self.live[context]
        if isinstance(found, Exception):
            raise found
        return {"metadata": {"uid": found}} if isinstance(found, str) else found

    def kubeconfig(self) -> Kubeconfig:
        return Kubeconfig(
            "the kubeconfig",
            contexts={name: {"cluster": name, "user": name} for name in self.live},
            clusters={
                name: {"server": self.servers.get(name, f"https://{name}.example.com")}
                for name in self.live
            },
            users={name: self.users.get(name, TOKEN) for name in self.live},
        )

    def require(
        self, fleet: Fleet | None = None, recorded: Identities = RECORDED, *, preview: bool = False
    ) -> tuple[Identities, list[str]]:
        kubeconfig = self.kubeconfig()
        resolved, problems = resolve(fleet or a_fleet(), kubeconfig)
        assert not problems
        known = recognition.require(
            resolved, "production", kubeconfig, recorded, self.silent, preview=preview
        )
        self.unknown = set(known.unknown)
        found = identity.of(known.fleet)
        return Identities(found.hub, found.spokes), known.warnings

    def refusal(self, fleet: Fleet | None = None, **how: Any) -> list[str]:
        with pytest.raises(StackError) as caught:
            self.require(fleet, **how)
        return [f"{one.path}: {one.message}" for one in caught.value.problems]


def by_argocd(name: str, **changes: Any) -> dict[str, Any]:
    """A spoke on which Pulumi makes nothing, at whatever server its context has."""
    block = a_spoke(name, **{"auth": {"kind": "token"}, "delivery": "argocd", **changes})
    return {key: value for key, value in block.items() if key != "server" or key in changes}


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
def test_a_silent_spoke_keeps_its_last_known_identity(world: World, preview: bool) -> None:
    world.silent = {"prod-1"}
    world.live["prod-1"] = AssertionError("asked")
    assert world.require(preview=preview) == (RECORDED, [])
    assert sorted(world.asked) == ["hub", "staging"]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (Refused("403 forbidden"), "needs to `get` the namespace kube-system"),
        (LoggedOut("401 Unauthorized"), "log in to it again"),
        (Unreachable("503 busy"), "`quarantine: <why>`"),
        (NotFound("not found"), "run this again when it does"),
        ({}, "is this an API server?"),
        ([], "is this an API server?"),
        ({"metadata": {"uid": ""}}, "has no uid"),
        ({"metadata": {"uid": 5}}, "has no uid"),
        ({"metadata": []}, "is this an API server?"),
    ],
)
@pytest.mark.parametrize("cluster", ["prod-1", "hub"])
def test_whoever_answers_must_say_who_it_is(
    world: World, cluster: str, answer: Any, hint: str
) -> None:
    world.live[cluster] = answer
    (said,) = world.refusal()
    place = "fleet:hub: the hub" if cluster == "hub" else 'fleet:spokes[0]: "prod-1"'
    assert said.startswith(f"{place} doesn't say which cluster it is: ")
    assert hint in said or cluster == "hub"
    assert "quarantine" not in said or cluster == "prod-1"
    known, warnings = world.require(preview=True)
    assert known == RECORDED
    assert warnings == [said]
    assert world.unknown == {cluster} - {"hub"}, "a preview takes it for silent, and goes on"


def test_a_spoke_that_pulumi_makes_nothing_on_is_asked_as_well(world: World) -> None:
    world.live |= {"prod-1": TWO, "staging": ONE}
    for kind in ("token", "basic", "gke", "vault"):
        auth = {"kind": kind}
        user = {"username": "u", "password": "p"} if kind == "basic" else TOKEN
        world.users = dict.fromkeys(world.live, user)
        spokes = [by_argocd("prod-1", auth=auth), by_argocd("staging", auth=auth)]
        one, other = world.refusal(a_fleet(spokes=spokes))
        assert f'"prod-1" is another cluster than before: context "prod-1" leads to {TWO}' in one
        assert '"staging" is another cluster than before' in other
        (said,) = world.refusal(
            a_fleet(spokes=[by_argocd("prod-1", auth=auth, identity=ONE)]), recorded=Identities()
        )
        assert said.startswith(f'fleet:spokes[0].identity: "prod-1" is to be the cluster {ONE}')


def test_a_spoke_that_nobody_can_ask_is_told_by_its_server(world: World) -> None:
    """Servers swapped beneath their users: each is told off by the other's."""
    world.live |= {"prod-1": LoggedOut("401 Unauthorized"), "staging": LoggedOut("401")}
    fleet = a_fleet(spokes=[by_argocd("prod-1"), by_argocd("staging")])
    servers = {name: f"https://{name}.example.com" for name in ("prod-1", "staging")}
    recorded = Identities(HUB, {"prod-1": ONE}, servers)
    known, (warning,) = world.require(fleet, recorded)
    assert known.spokes == {"prod-1": ONE}
    assert warning.startswith('"prod-1", "staging": told from other clusters by the server alone')

    world.servers = {"prod-1": servers["staging"], "staging": servers["prod-1"]}
    one, other = world.refusal(fleet, recorded=recorded)
    assert one.startswith('fleet:spokes[0]: "prod-1" is at another server than before: context')
    assert f"leads to {servers['staging']}, and it was {servers['prod-1']}" in one
    assert "write `server: https://prod-1.example.com` here" in other
    assert world.require(fleet, Identities(HUB))[0].spokes == {}, "the first time"


def test_a_server_in_the_block_itself_is_nobodys_mistake(world: World) -> None:
    world.live["prod-1"] = LoggedOut("401 Unauthorized")
    recorded = Identities(HUB, {}, {"prod-1": "https://old.example.com"})
    moved = by_argocd("prod-1", server="https://new.example.com")
    assert world.require(a_fleet(spokes=[moved]), recorded)[0].hub == HUB
    (said,) = world.refusal(a_fleet(spokes=[by_argocd("prod-1")]), recorded=recorded)
    assert "write `server: https://prod-1.example.com` here" in said


def test_a_silent_spoke_at_another_server_is_no_dead_one(world: World) -> None:
    """Swapped, and the other one is down."""
    world.silent = {"prod-1"}
    recorded = Identities(HUB, {"prod-1": ONE}, {"prod-1": "https://old.example.com"})
    block = {key: value for key, value in a_spoke("prod-1").items() if key != "server"}
    (said,) = world.refusal(a_fleet(spokes=[block]), recorded=recorded)
    assert '"prod-1" is at another server than before' in said


def test_in_quarantine(world: World) -> None:
    """A quarantined spoke may be silent in any way; but if it says who it is, it must be the one."""
    fleet = a_fleet(
        spokes=[a_spoke("prod-1", quarantine="its disks died"), a_spoke("staging")],
        environments=["production"],
    )
    for silence in (Unreachable("no answer"), Unreachable("500"), LoggedOut("401"), {}):
        world.live["prod-1"] = silence
        assert world.require(fleet) == (RECORDED, [])
    world.live["prod-1"] = ONE
    assert world.require(fleet) == (RECORDED, [])
    world.live["prod-1"] = NEW
    (said,) = world.refusal(fleet)
    assert '"prod-1" is another cluster than before' in said
    world.live["prod-1"] = Refused("403 forbidden")
    (said,) = world.refusal(fleet)
    assert "needs to `get` the namespace kube-system" in said


def test_who_has_no_way_there_asks_nobody(world: World) -> None:
    far = by_argocd("far", auth={"kind": "vault"}, server="https://far.example.com")
    here = by_argocd("here", auth={"kind": "inCluster"}, delivery="pulumi")
    fleet = a_fleet(spokes=[far, here])
    known, warnings = world.require(fleet, Identities(HUB, {"far": NEW}))
    assert world.asked == ["hub"]
    assert known == Identities(HUB, {"far": NEW, "here": HUB})
    assert not warnings
    world.live["far"] = AssertionError("asked")
    world.users["far"] = {}
    assert world.require(fleet, Identities(HUB))[1] == [], "a context without anybody who logs in"


def test_a_context_without_anybody_by_which_pulumi_works(world: World) -> None:
    """Some reach a cluster through a proxy that knows who they are."""
    world.users["prod-1"] = {}
    world.live["prod-1"] = NEW
    assert world.refusal()


def test_an_identity_that_is_asked_for_and_not_told(world: World) -> None:
    world.live["prod-1"] = LoggedOut("401 Unauthorized")
    (said,) = world.refusal(a_fleet(spokes=[by_argocd("prod-1", identity=ONE)]))
    assert "doesn't say which cluster it is: 401" in said


def test_where_the_state_was_lost_the_hub_still_knows() -> None:
    hub = LiveHub().up(a_fleet(spokes=[a_spoke("prod-1", identity=ONE)]), "production")
    found = a_fleet(spokes=[a_spoke("prod-1")])
    found = found.filled({"spokes": [found.spokes[0].filled({"identity": TWO})]})
    (said,) = ownership_problems(found, "production", read(hub, "argocd"))
    assert f"leads to {TWO}, and its cluster Secret says {ONE}" in said.message
    for spoke in (a_spoke("prod-1"), a_spoke("prod-1", identity=TWO)):
        fleet = a_fleet(spokes=[spoke])
        assert ownership_problems(fleet, "production", read(hub, "argocd")) == []


def test_one_cluster_by_two_names_on_one_hub() -> None:
    theirs = a_fleet(
        environments=["production"],
        spokes=[a_spoke("prod-1", identity=ONE)],
        applicationSets=[{"name": "services", "layout": "services"}],
    )
    hub = LiveHub().up(theirs, "production")
    spokes = [a_spoke("other", environment="staging", identity=ONE)]
    mine = a_fleet(argocd={}, environments=["staging"], spokes=spokes, applicationSets=[])
    (said,) = ownership_problems(mine, "staging", read(hub, "argocd"))
    assert said.path == "fleet:spokes[0]"
    assert f'is the very cluster ({ONE}) that the hub has as "prod-1"' in said.message
    assert 'belongs to stack "production"' in said.message
