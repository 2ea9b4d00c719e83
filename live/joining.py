"""What a stack that joins a hub needs of the Argo CD there: AppProjects that let its repo in, and its spokes.

Pure: the stack file's fleet is held against the live hub. Namespaces and kinds are left to Argo CD: what it refuses of
those, it says by Application.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from live.another_argocd import GUIDE
from live.hub_state import HubState, LiveProject
from stacks.desired import sets
from stacks.model.errors import Problem
from stacks.model.fleet import Fleet


def problems(fleet: Fleet, stack: str, state: HubState) -> Iterator[Problem]:
    """What is missing, and who must do what. Nothing for a stack that owns the hub, or a hub without Argo CD."""
    if fleet.owns_hub or not state.installed or state.owner is None:
        return
    if state.outdated:
        yield Problem(
            "fleet:argocd",
            f"Argo CD on the hub ({fleet.hub.context}) is of a release before 3.3, whose kinds lack what this stack's "
            "ApplicationSets and AppProjects need; upgrade it first",
        )
    wanted = sets.projects_needed(fleet, stack)
    there = {one.object_name: one for one in state.projects}
    missing = [name for name in wanted if name not in there]
    found = [there[name] for name in wanted if name in there]
    if missing:
        names = ", ".join(f'"{name}"' for name in missing)
        called = "AppProject" if len(missing) == 1 else "AppProjects"
        todo = (
            f'run `up` of stack "{state.owner}", which owns the hub, first'
            if state.owner
            else f"make it there by hand, as {GUIDE} has it"
        )
        yield Problem(
            "fleet:argocd",
            f'Argo CD in namespace "{state.namespace}" of the hub ({fleet.hub.context}) has no {called} {names}, which '
            f"this stack's sets deploy through: {todo}; or, if this is not the Argo CD that you mean, write its "
            "`namespace`",
        )
    repos = {
        (name, sets.repo(fleet, one)): f"{where}.repo"
        if isinstance(one, sets.TeamSet)
        else "fleet:gitops.repo"
        for where, one in sets.placed(fleet)
        for name in sets.projects_of(fleet, stack, one)
    }
    for (name, repo), where in repos.items():
        one = there.get(name)
        if one and not _allowed(repo, one.repos):
            yield Problem(
                where,
                f'AppProject "{name}" on the hub lets in {_some(one.repos)}, and not {repo}: '
                f"no Application of this stack would sync; {_widen(one, 'write the same repo, or')}",
            )
    for index, spoke in enumerate(fleet.spokes):
        its = {
            sets.project_for(one, spoke)
            for one in sets.every(fleet)
            if spoke in sets.spokes(fleet, stack, one)
        }
        for one in found:
            if one.object_name in its and not _reaches(one, spoke.server, spoke.name):
                yield Problem(
                    f"fleet:spokes[{index}]",
                    f'AppProject "{one.object_name}" on the hub lets nothing deploy to "{spoke.name}" '
                    f"({spoke.server}); {_widen(one, '')}",
                )


def _widen(one: LiveProject, first: str) -> str:
    whose = f'in stack "{one.owner}", which made it' if one.owner else "there"
    return f"{first} widen that project {whose}".strip()


def _reaches(one: LiveProject, server: str, name: str) -> bool:
    return _allowed(server, one.servers) or _allowed(name, one.names)


def _allowed(value: str, patterns: Sequence[str]) -> bool:
    """As Argo CD matches: one with a `!` shuts what it names, and lets in all else.

    But for what it leaves open: a pattern that is more than `*` and `?` may match, and `*` stands for `/` too.
    """
    shut = [one[1:] for one in patterns if one.startswith("!")]
    if any(not _open(one) and _meets(value, one) for one in shut):
        return False
    return bool(shut) or any(_open(one) or _meets(value, one) for one in patterns)


def _open(pattern: str) -> bool:
    return any(sign in pattern for sign in "[]{}\\")


def _meets(value: str, pattern: str) -> bool:
    return fnmatchcase(_plain(value), _plain(pattern))


def _plain(address: str) -> str:
    """What Argo CD holds to be the same: with and without `.git` or a slash at the end, in small letters."""
    return address.lower().rstrip("/").removesuffix(".git")


def _some(patterns: Sequence[str]) -> str:
    more = f" and {len(patterns) - 3} more" if len(patterns) > 3 else ""
    return (", ".join(patterns[:3]) + more) or "no repo"
