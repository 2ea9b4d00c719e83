"""What Pulumi won't delete, and how it is let go: told before a run, as Pulumi itself tells it half-way through.

Pure: the stack file's fleet is held against the live hub, whose cluster Secrets say which spokes are protected. The
protection goes by an `up` of its own: Pulumi judges what is gone from the program by what the last run left.
"""

from __future__ import annotations

from collections.abc import Iterator

from live.hub_state import HubState
from stacks.model.auth import VaultAuth
from stacks.model.errors import Problem
from stacks.model.fleet import Fleet


def leaving(fleet: Fleet, stack: str, state: HubState) -> set[str]:
    """The spokes of this stack that have no block any more and are still protected."""
    blocks = {spoke.name for spoke in fleet.spokes}
    return _protected(stack, state) - blocks


def way_out(spoke: str) -> str:
    """How a protected spoke leaves, in words."""
    return (
        f'"{spoke}" is protected, so it takes two `up`: put its block back as it was and write `fleet:allowDeletion: '
        f"[{spoke}]`, `up`; then take the block out, `up`"
    )


def problems(fleet: Fleet, stack: str, state: HubState) -> Iterator[Problem]:
    """The protected cluster Secrets that would be deleted although their spokes stay: another makes them then."""
    rendered = {one.name: one.rendered for one in state.clusters if one.owner == stack}
    protected = _protected(stack, state)
    for index, spoke in enumerate(fleet.spokes):
        by_vault = isinstance(spoke.auth, VaultAuth)
        if spoke.name in protected and rendered[spoke.name] != by_vault:
            yield Problem(
                f"fleet:spokes[{index}].auth.kind",
                f'the cluster Secret of "{spoke.name}" would change hands between Pulumi and External Secrets, and it '
                f"is protected: leave `auth` as it was and write `fleet:allowDeletion: [{spoke.name}]`, `up`; then "
                "change `auth`, `up`",
            )


def note(fleet: Fleet, name: str) -> str:
    """What `fleet:allowDeletion` does for a spoke that has its block and loses nothing else; empty where nothing."""
    by_name = {spoke.name: spoke for spoke in fleet.spokes}
    spoke = by_name.get(name)
    if not spoke or spoke.environment not in fleet.protected_environments:
        return ""
    return (
        f'fleet:allowDeletion: "{name}" is not protected from this `up` on. For the next one take its block out, or '
        "this line, and it is protected again"
    )


def _protected(stack: str, state: HubState) -> set[str]:
    return {one.name for one in state.clusters if one.owner == stack and one.protected}
