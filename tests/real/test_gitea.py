"""What `forges.gitea` asks, answered by the real Gitea of the lab."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forges.connect import connect
from forges.forge import Forge, ForgeAway, ForgeError, LoggedOut, NotAllowed, Status
from tests.real.gitea_server import GiteaServer
from tests.unit.forge_contract import keeps_the_contract


@dataclass
class Place:
    """A repo of alice's, where bob may write."""

    server: GiteaServer
    repo: str
    tokens: dict[str, str]

    def forge(self, person: str = "alice") -> Forge:
        """Asked by a person's token, or by the one that is given."""
        url = f"{self.server.url}/{self.repo}.git"
        return connect("gitea", url, "", self.tokens.get(person, person))

    def commit(self, branch: str) -> str:
        return self.server.commit(self.repo, branch, f"{secrets.token_hex(4)}.yaml", "x\n")

    def approve(self, number: int, person: str) -> None:
        self.server.review(self.repo, number, self.tokens[person])

    def merge(self, number: int) -> str:
        self.server.merge(self.repo, number)
        return self.server.tip(self.repo)

    def comments(self, number: int) -> list[str]:
        found = self.server.ask("GET", f"/repos/{self.repo}/issues/{number}/comments")
        return [one["body"] for one in found]


@pytest.fixture(scope="module")
def people(gitea: GiteaServer) -> dict[str, str]:
    return {name: gitea.make_user(name) for name in ("alice", "bob")}


@pytest.fixture
def place(gitea: GiteaServer, people: dict[str, str]) -> Place:
    return Place(gitea, gitea.make_repo("alice", "bob"), people)


def test_the_contract(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forges.gitea.PER_PAGE", 2)
    keeps_the_contract(place)


def test_approvals(place: Place) -> None:
    forge, server = place.forge(), place.server
    head = server.commit(place.repo, "x", "x.yaml", "x\n")
    number = forge.open(branch="x", base="main", title="x", body="").number
    assert forge.approvals(number) == []
    server.review(place.repo, number, place.tokens["bob"])
    (found,) = forge.approvals(number)
    assert (found.person, found.commit) == ("bob", head)
    assert found.at is not None
    assert abs(datetime.now(UTC) - found.at) < timedelta(minutes=5)
    server.review(place.repo, number, place.tokens["bob"], "COMMENT")
    assert [it.person for it in forge.approvals(number)] == ["bob"]
    server.review(place.repo, number, place.tokens["bob"], "REQUEST_CHANGES")
    assert forge.approvals(number) == []
    again = server.review(place.repo, number, place.tokens["bob"])
    assert [it.person for it in forge.approvals(number)] == ["bob"]
    server.ask(
        "POST", f"/repos/{place.repo}/pulls/{number}/reviews/{again}/dismissals", {"message": "no"}
    )
    assert forge.approvals(number) == []


def test_an_approval_of_what_was_there_before(place: Place) -> None:
    """Without protection it stays, with the commit that was seen; with, Gitea dismisses it at the push."""
    forge, server = place.forge(), place.server
    seen = server.commit(place.repo, "x", "x.yaml", "x\n")
    number = forge.open(branch="x", base="main", title="x", body="").number
    server.review(place.repo, number, place.tokens["bob"])
    newer = server.commit(place.repo, "x", "y.yaml", "y\n")
    assert forge.pull_request(number).head == newer
    _wait_until(lambda: _reviews(place, number)[0]["stale"])
    assert [it.commit for it in forge.approvals(number)] == [seen]
    server.protect(place.repo, required_approvals=1, dismiss_stale_approvals=True)
    server.review(place.repo, number, place.tokens["bob"])
    assert [it.commit for it in forge.approvals(number)] == [newer]
    server.commit(place.repo, "x", "z.yaml", "z\n")
    # Not at once, but when Gitea has come to it: whoever asks compares the commit with the head.
    _wait_until(lambda: forge.approvals(number) == [])
    assert all(one["dismissed"] for one in _reviews(place, number))


def _reviews(place: Place, number: int) -> Any:
    return place.server.ask("GET", f"/repos/{place.repo}/pulls/{number}/reviews")


def _wait_until(true: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_statuses(place: Place) -> None:
    forge, server = place.forge(), place.server
    commit = server.commit(place.repo, "x", "x.yaml", "x\n")
    assert forge.statuses(commit) == []
    wanted = Status(
        context="promotion/source-healthy",
        outcome="success",
        description="staging is healthy",
        url="https://ci.example.com/1",
        by="alice",
    )
    forge.set_status(commit, Status(context=wanted.context, outcome="pending"))
    forge.set_status(commit, Status(context=wanted.context, outcome="pending"))
    place.forge("bob").set_status(commit, Status(context="lint", outcome="failure"))
    # More than one page of old ones.
    for number in range(51):
        forge.set_status(
            commit, Status(context="lint-2", outcome="pending", description=str(number))
        )
    forge.set_status(commit, wanted)
    found = {it.context: it for it in forge.statuses(commit)}
    assert found[wanted.context] == wanted
    assert found["lint"] == Status(context="lint", outcome="failure", by="bob")
    assert found["lint-2"].description == "50"
    assert len(found) == 3
    for state in ("error", "warning"):
        server.ask(
            "POST", f"/repos/{place.repo}/statuses/{commit}", {"state": state, "context": "lint"}
        )
        assert {it.context: it.outcome for it in forge.statuses(commit)}["lint"] == "failure"


@pytest.mark.parametrize("how", ["merge", "squash", "rebase", "rebase-merge", "fast-forward-only"])
def test_a_merged_one_is_found_by_its_commit(place: Place, how: str) -> None:
    forge, server = place.forge(), place.server
    first = server.commit(place.repo, "x", "x.yaml", "x\n")
    last = server.commit(place.repo, "x", "y.yaml", "y\n")
    if how != "fast-forward-only":
        server.commit(place.repo, "main", "meanwhile.yaml", "z\n")  # else a rebase changes nothing
    number = forge.open(branch="x", base="main", title="x", body="").number
    assert forge.pull_request_of(last) is None
    server.merge(place.repo, number, how)
    tip = server.tip(place.repo)
    found = forge.pull_request_of(tip)
    assert found == forge.pull_request(number)
    assert found is not None
    assert (found.state, found.merged_as, found.merged_by) == ("merged", tip, "fleet")
    assert found.merged_at is not None
    assert forge.pull_requests("x") == [found]
    # What Gitea can't: it keeps one commit for a pull request, and knows nothing of the others that came with it.
    parents = server.ask("GET", f"/repos/{place.repo}/git/commits/{tip}")["parents"]
    assert all(forge.pull_request_of(one["sha"]) is None for one in parents)
    assert forge.pull_request_of(first) is None
    # The branch is still told of when it is gone.
    server.ask("DELETE", f"/repos/{place.repo}/branches/x")
    gone = forge.pull_request(number)
    assert (gone.branch, gone.head) == ("x", last)
    assert forge.pull_requests("x") == [gone]


def test_a_fork_has_no_branch_here(place: Place) -> None:
    server, (_, name) = place.server, place.repo.split("/")
    server.ask("POST", f"/repos/{place.repo}/forks", {}, token=place.tokens["bob"])
    server.commit(f"bob/{name}", "promote/web", "web.yaml", "image: evil\n")
    body = {"title": "Promote web", "head": "bob:promote/web", "base": "main"}
    made = server.ask("POST", f"/repos/{place.repo}/pulls", body, token=place.tokens["bob"])
    forge = place.forge()
    assert forge.pull_requests("promote/web") == []
    assert [(it.number, it.branch) for it in forge.open_pull_requests()] == [(made["number"], "")]


def test_whoami(place: Place) -> None:
    assert place.forge("bob").whoami() == "bob"
    narrow = place.server.make_token("bob", "read:repository")
    with pytest.raises(NotAllowed, match=r'can\'t ask who the token is of: 403 .*"read:user"'):
        place.forge(narrow).whoami()


def test_a_token_that_may_read_only(place: Place) -> None:
    place.server.commit(place.repo, "x", "x.yaml", "x\n")
    number = place.forge().open(branch="x", base="main", title="x", body="").number
    reader = place.forge(place.server.make_token("alice", "read:repository", "read:issue"))
    assert reader.pull_request(number).number == number
    commit = reader.pull_request(number).head
    with pytest.raises(NotAllowed, match=f'comment on pull request {number}: 403 .*"write:issue"'):
        reader.comment(number, "hello")
    with pytest.raises(NotAllowed, match=r'set the status lint: 403 .*"write:repository"'):
        reader.set_status(commit, Status(context="lint", outcome="success"))
    with pytest.raises(NotAllowed, match="open a pull request from x: 403"):
        reader.open(branch="x", base="main", title="x", body="")


def test_what_is_not_there(place: Place) -> None:
    nowhere = Place(place.server, "alice/nothing", place.tokens).forge()
    for ask in (
        lambda: nowhere.pull_requests("x"),
        lambda: list(nowhere.open_pull_requests()),
        lambda: nowhere.pull_request_of("0" * 40),
        lambda: place.forge().pull_request(99),
    ):
        with pytest.raises(NotAllowed, match="404"):
            ask()
    # What Gitea answers to that is a 500, and no word.
    with pytest.raises(ForgeError, match="comment on pull request 99: "):
        place.forge().comment(99, "x")
    assert place.forge().pull_request_of("0" * 40) is None
    private = place.server.make_repo("alice", private=True)
    with pytest.raises(NotAllowed, match="the token may not see it"):
        Place(place.server, private, place.tokens).forge("bob").pull_requests("x")


def test_a_token_that_is_none(place: Place) -> None:
    token = secrets.token_hex(20)
    with pytest.raises(LoggedOut, match="set FLEET_FORGE_TOKEN or GITEA_TOKEN") as caught:
        place.forge(token).pull_requests("x")
    assert token not in str(caught.value)
    # Of a public repo too: a token that has ended must not be taken for somebody who reads only.
    with pytest.raises(LoggedOut):
        place.forge(token).whoami()


def test_a_server_that_is_down(place: Place) -> None:
    forge = place.forge()
    assert forge.whoami() == "alice"
    place.server.stop()
    try:
        with pytest.raises(ForgeAway, match=r"can't ask who the token is of: .*refused"):
            forge.whoami()
    finally:
        place.server.start()
    assert forge.whoami() == "alice"
