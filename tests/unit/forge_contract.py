"""What every forge does, whichever it is: for tests/unit/test_forges.py and tests/real/test_gitea.py."""

from __future__ import annotations

from typing import Protocol

import pytest

from forges.forge import Forge, ForgeError, NotAllowed, Status


class Side(Protocol):
    """A repo on a forge, from the side of its people: alice and bob."""

    def forge(self, person: str) -> Forge: ...

    def commit(self, branch: str) -> str:
        """A new commit on a branch, which may be new."""

    def approve(self, number: int, person: str) -> None: ...

    def merge(self, number: int) -> str:
        """Somebody merges it; the commit that this makes on its base."""

    def comments(self, number: int) -> list[str]: ...


def keeps_the_contract(side: Side) -> None:
    alice, bob = side.forge("alice"), side.forge("bob")
    assert (alice.whoami(), bob.whoami()) == ("alice", "bob")
    _opens_and_closes(side, alice)
    _tells_of_approvals(side, alice)
    _keeps_statuses(side, alice, bob)
    _finds_what_was_merged(side, alice)


def _opens_and_closes(side: Side, alice: Forge) -> None:
    head = side.commit("promote/web")
    made = alice.open(branch="promote/web", base="main", title="Promote web", body="**v2**\nüber")
    assert (made.state, made.branch, made.base, made.head) == ("open", "promote/web", "main", head)
    assert (made.title, made.body, made.author) == ("Promote web", "**v2**\nüber", "alice")
    assert made.url.startswith("http")
    assert (made.merged_as, made.merged_by, made.merged_at) == ("", "", None)
    assert alice.pull_request(made.number) == made
    assert alice.pull_requests("promote/web") == list(alice.open_pull_requests()) == [made]
    assert alice.pull_requests("promote/w") == []
    with pytest.raises(ForgeError, match="already exists"):
        alice.open(branch="promote/web", base="main", title="Again", body="")
    alice.edit(made.number, title="Promote web to v2", body="")
    alice.comment(made.number, "Superseded.")
    alice.close(made.number)
    assert side.comments(made.number) == ["Superseded."]
    closed = alice.pull_request(made.number)
    assert (closed.state, closed.title, closed.body) == ("closed", "Promote web to v2", "")
    numbers = []
    for _ in range(4):  # more than a page of them
        numbers.insert(
            0, alice.open(branch="promote/web", base="main", title="Again", body="").number
        )
        alice.close(numbers[0])
    from_it = [it.number for it in alice.pull_requests("promote/web")]
    assert from_it == [*numbers, made.number]
    assert list(alice.open_pull_requests()) == []
    for index in range(5):
        side.commit(f"b{index}")
        alice.open(branch=f"b{index}", base="main", title=str(index), body="")
    # Those that are closed on the way don't hide what is on the pages that follow.
    seen = []
    for one in alice.open_pull_requests():
        seen.append(one.title)
        alice.close(one.number)
    assert sorted(seen) == list("01234")
    with pytest.raises(NotAllowed, match=r"can't read .* request 99: 404"):
        alice.pull_request(99)


def _tells_of_approvals(side: Side, alice: Forge) -> None:
    head = side.commit("approved")
    number = alice.open(branch="approved", base="main", title="x", body="").number
    assert alice.approvals(number) == []
    side.approve(number, "bob")
    (found,) = alice.approvals(number)
    assert found.person == "bob"
    assert found.commit in (head, "")  # GitLab doesn't say
    assert found.at is not None
    assert found.at.tzinfo is not None


def _keeps_statuses(side: Side, alice: Forge, bob: Forge) -> None:
    commit = side.commit("approved")
    assert alice.statuses(commit) == []
    pending = Status(context="promotion/source-healthy", outcome="pending", description="waits")
    alice.set_status(commit, pending)
    alice.set_status(commit, pending)
    bob.set_status(commit, Status(context="lint", outcome="failure"))
    bob.set_status(commit, Status(context="fmt", outcome="success", description="x" * 300))
    found = {it.context: it for it in alice.statuses(commit)}
    assert found[pending.context].outcome == "pending"
    assert found["lint"] == Status(context="lint", outcome="failure", by="bob")
    assert found["fmt"].description.startswith("x" * 100)
    done = Status(
        context=pending.context,
        outcome="success",
        description="staging is healthy",
        url="https://ci.example.com/1",
        by="alice",
    )
    alice.set_status(commit, done)
    found = {it.context: it for it in alice.statuses(commit)}
    assert found[done.context] == done
    assert len(found) == 3


def _finds_what_was_merged(side: Side, alice: Forge) -> None:
    head = side.commit("merged")
    number = alice.open(branch="merged", base="main", title="x", body="").number
    assert alice.pull_request_of(head) is None
    commit = side.merge(number)
    found = alice.pull_request_of(commit)
    assert found is not None
    assert (found.number, found.state, found.merged_as) == (number, "merged", commit)
    assert found.merged_by
    assert found.merged_at is not None
    assert alice.pull_request(number) == found
    assert alice.pull_requests("merged") == [found]
