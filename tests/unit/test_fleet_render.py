"""How a verdict is shown, and how long it is waited for."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from fleet.expected import Expected, ExpectedSet, ExpectedSpoke
from fleet.facts import Application, Hub, Readiness, Registration, Spoke
from fleet.handover import Verdict, judge
from fleet.render import PIPE_WIDTH, as_json, as_tables, counts_line
from fleet.watch import watch


def fleet_of(size: int, *, bad: int = 0) -> Verdict:
    """A fleet of `size` spokes; the first `bad` ones have an Application that is OutOfSync."""
    names = [f"prod-{number}" for number in range(size)]
    applications = tuple(
        Application(
            f"{name}-platform",
            name,
            "platform",
            "OutOfSync" if number < bad else "Synced",
            "Healthy",
            "0123456789abcdef",
            "[-]a message with [brackets] " + "and many words " * 20 if number < bad else "",
        )
        for number, name in enumerate(names)
    )
    spokes = {
        name: Spoke(
            name,
            True,
            "v1",
            stores=(Readiness("vault-backend", True),),
            secrets=(Readiness("a/b", True),),
        )
        for name in names
    }
    expected = Expected(
        tuple(ExpectedSpoke(name, "production") for name in names),
        (ExpectedSet("platform", {name: f"{name}-platform" for name in names}),),
        ("vault-backend",),
    )
    return judge(expected, Hub("hub", True, "v1", "", applications, {"platform": ""}), spokes)


def printed(verdict: Verdict, *, every: bool = False) -> str:
    out = Console(
        file=io.StringIO(), width=PIPE_WIDTH, no_color=True, highlight=False, markup=False
    )
    out.print(as_tables(verdict, out, every_application=every))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


EMPTY_HUB = Hub("hub", True, application_sets={})


def of_one(quarantine: str = "") -> Expected:
    return Expected((ExpectedSpoke("one", "dev", quarantine),), (), ("vault-backend",))


def rows(verdict: Verdict) -> list[str]:
    return [" ".join(line.split()) for line in printed(verdict).splitlines()]


def row_of(spoke: Spoke, quarantine: str = "") -> str:
    judged = judge(of_one(quarantine), EMPTY_HUB, {"one": spoke})
    return next(row for row in rows(judged) if row.startswith("one dev"))


def test_a_piped_row_is_one_line_to_grep() -> None:
    lines = rows(fleet_of(3))
    assert "Hub hub: reachable, v1, ApplicationSets 1/1" in lines
    assert "prod-0 production yes ? Ready 1/1 1/1" in lines
    assert "prod-0-platform prod-0 Synced Healthy 01234567" in lines
    assert lines[-1] == "All good: 3 spokes, 3 Applications Synced and Healthy."


def test_problems_are_told_in_full_and_verbatim() -> None:
    text = printed(fleet_of(3, bad=1))
    assert (
        "prod-0-platform: on prod-0: OutOfSync, Healthy: [-]a message with [brackets] and many words"
        in text
    )
    assert "All good" not in text


def test_a_large_fleet_shows_only_the_applications_that_need_attention() -> None:
    text = printed(fleet_of(50, bad=2))
    assert "Applications not good (2 of 50; --all shows every one)" in text
    assert "prod-40-platform" not in text
    assert "prod-40 " in text
    assert "prod-40-platform" in printed(fleet_of(50, bad=2), every=True)


def test_a_large_good_fleet_shows_no_applications() -> None:
    assert "Applications not good" not in printed(fleet_of(50))


def test_an_unreachable_spoke_shows_no_stale_counts() -> None:
    spoke = Spoke("one", reachable=False, error="connection refused")
    assert row_of(spoke) == "one dev NO ? ? ? 0/0"


def test_a_spoke_that_is_not_asked() -> None:
    assert row_of(Spoke("one", reachable=False, asked=False)) == "one dev not asked ? ? ? 0/0"


def test_a_spoke_in_quarantine_says_why() -> None:
    dead = Spoke("one", reachable=False, error="connection refused")
    assert row_of(dead, "[disks] died") == "one dev NO, quarantined: [disks] died ? ? ? 0/0"
    judged = judge(of_one("disks died"), EMPTY_HUB, {"one": dead})
    assert printed(judged).splitlines()[-1] == (
        "All good: 1 spoke (1 in quarantine left aside), 0 Applications Synced and Healthy."
    )
    document = json.loads(as_json(judged, "dev"))
    assert (document["good"], document["problems"]) == (True, [])
    assert document["spokes"][0]["quarantine"] == "disks died"
    assert document["spokes"][0]["good"] is False
    assert document["spokes"][0]["error"] == "connection refused"


def test_several_stores_are_counted() -> None:
    stores = (Readiness("vault-backend", True), Readiness("team-a", False, "denied"))
    spoke = Spoke("one", True, "v1", stores=stores)
    expected = replace(of_one(), stores=("vault-backend", "team-a"))
    judged = judge(expected, EMPTY_HUB, {"one": spoke})
    assert "one dev yes ? 1/2 0/0 0/0" in rows(judged)
    shown = json.loads(as_json(judged, "dev"))["spokes"][0]
    assert shown["store"] == {"ready": False, "message": "ClusterSecretStore team-a: denied"}
    assert [store["name"] for store in shown["stores"]] == ["vault-backend", "team-a"]


@pytest.mark.parametrize(
    ("registration", "shown"),
    [
        (Registration(tried=True), "let in"),
        (Registration(tried=True, trouble="401 Unauthorized"), "REFUSED"),
        (Registration(), "not tried"),
        (None, "unknown to it"),
    ],
)
def test_what_the_spoke_says_to_argo_cd(registration: Registration | None, shown: str) -> None:
    found = {"one": registration} if registration else {}
    judged = judge(of_one(), replace(EMPTY_HUB, registrations=found), {"one": Spoke("one", True)})
    assert next(row for row in rows(judged) if row.startswith("one dev yes ")).startswith(
        f"one dev yes {shown} "
    )
    told = json.loads(as_json(judged, "dev"))["spokes"][0]["argocd"]
    assert told["registered"] is (registration is not None)
    assert told["error"] == (registration.trouble if registration else "")


def test_a_hub_alone() -> None:
    hub = replace(EMPTY_HUB, version="v1", stores=(Readiness("fleet-clusters", True),))
    assert rows(judge(Expected((), ()), hub, {})) == [
        "Hub hub: reachable, v1, stores 1/1",
        "",
        "All good: Argo CD is on the hub; this stack has no spokes.",
    ]
    shown = json.loads(as_json(judge(Expected((), ()), hub, {}), "hub"))
    assert shown["hub"]["stores"] == [{"name": "fleet-clusters", "ready": True, "message": ""}]
    assert (shown["hub"]["credentials"], shown["spokes"]) == ([], [])


def test_the_counts_in_one_line() -> None:
    assert counts_line(fleet_of(2, bad=1)) == (
        "hub reachable; spokes reachable 2/2; stores ready 2/2; secrets synced 2/2; applications good 1/2"
    )


def test_json() -> None:
    document = json.loads(
        as_json(fleet_of(1, bad=1), "prod", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    )
    assert document["checkedAt"] == "2026-01-02T03:04:05Z"
    assert list(document) == [
        "schema",
        "stack",
        "checkedAt",
        "good",
        "hub",
        "applicationSets",
        "spokes",
        "applications",
        "problems",
    ]
    assert document["spokes"][0] == {
        "name": "prod-0",
        "environment": "production",
        "quarantine": "",
        "good": False,
        "asked": True,
        "reachable": True,
        "version": "v1",
        "error": "",
        "argocd": {
            "registered": None,
            "tried": False,
            "error": "",
            "changedAt": None,
            "reconciledAt": None,
        },
        "store": {"ready": True, "message": ""},
        "stores": [{"name": "vault-backend", "ready": True, "message": ""}],
        "secrets": [{"name": "a/b", "ready": True, "message": ""}],
        "applications": {"good": 0, "total": 1},
    }
    assert document["applications"][0]["sync"] == "OutOfSync"
    assert document["applicationSets"] == [{"name": "platform", "present": True, "error": ""}]


class Waiting:
    """A clock that only moves when slept on, and a console to watch on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.out = Console(file=io.StringIO(), width=PIPE_WIDTH, no_color=True, highlight=False)

    def run(self, verdicts: Iterator[Verdict], timeout: float) -> Verdict:
        return watch(
            lambda: next(verdicts),
            self.out,
            timeout=timeout,
            interval=2,
            clock=lambda: self.now,
            sleep=lambda seconds: setattr(self, "now", self.now + seconds),
        )

    @property
    def lines(self) -> list[str]:
        assert isinstance(self.out.file, io.StringIO)
        return self.out.file.getvalue().splitlines()


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def test_waiting_ends_as_soon_as_all_is_good(waiting: Waiting) -> None:
    verdict = waiting.run(
        iter([fleet_of(2, bad=2), fleet_of(2, bad=2), fleet_of(2, bad=1), fleet_of(2)]), 300
    )
    assert verdict.good
    assert waiting.now == 6
    assert [line.split("applications good ")[1] for line in waiting.lines] == ["0/2", "1/2", "2/2"]
    assert waiting.lines[1].startswith("    4 s  ")


def test_waiting_gives_up(waiting: Waiting) -> None:
    verdict = waiting.run(iter([fleet_of(1, bad=1)] * 100), 5)
    assert not verdict.good
    assert waiting.now == 5


def test_on_a_terminal_the_tables_are_redrawn() -> None:
    out = Console(file=io.StringIO(), force_terminal=True, width=100)
    verdicts = iter([fleet_of(1, bad=1), fleet_of(1)])
    assert watch(lambda: next(verdicts), out, timeout=5, interval=0.1, sleep=lambda _: None).good
