"""Asked before anything is made: is each cluster the one that it was at the last `up`, or that its block asks for?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from live.cluster_api import PATIENCE, ClusterAPI, LoggedOut, Refused, Unreachable
from live.identity import Identities, uid
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.loading.load import stack_file, with_lines
from stacks.model.access import ClusterAccess
from stacks.model.errors import Problem, StackError
from stacks.model.fields import server_key
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

PARALLEL = 16
_NAMED = 3


@dataclass(frozen=True)
class _Cluster:
    """A cluster of the stack file, how it is asked, and what its block and the record say of it.

    `access` is None where this machine has no way there. `worked_on` is whether Pulumi makes anything on it.
    """

    where: str
    name: str
    context: str
    access: ClusterAccess | None
    wanted: str | None
    recorded: str
    spoke: Spoke | None = None
    worked_on: bool = True


@dataclass(frozen=True)
class Recognised:
    """The fleet with each cluster's identity filled in, and warnings.

    `unknown` is the spokes that answer without saying who they are: in a preview only, as an `up` stops there.
    """

    fleet: Fleet
    warnings: list[str]
    unknown: frozenset[str]


_Answer = str | Unreachable
"""What a cluster says when it is asked: its identity, or why it says none."""


def require(
    fleet: Fleet,
    stack: str,
    kubeconfig: Kubeconfig,
    recorded: Identities,
    silent: Collection[str],
    *,
    preview: bool,
) -> Recognised:
    """Make sure that each cluster is the one that it should be, as far as it can be asked.

    Asked is every cluster that has a context, whoever works on it; not the spokes among the `silent`, which keep what
    was recorded. Raises StackError, naming the stack file of `stack`, where a cluster is another than the one that was
    recorded, or that its block asks for; where two are one; where one that Pulumi works on answers without saying who
    it is, unless in a `preview`; and where one that can't be asked is at another server than it was.
    """
    clusters = _clusters(fleet, kubeconfig, recorded)
    answers = _answers([one for one in clusters if not (one.spoke and one.spoke.name in silent)])
    found = {where: answer for where, answer in answers.items() if isinstance(answer, str)}
    unasked = [one for one in clusters if one.where not in found]
    problems = [*_changed(clusters, found), *_twice(clusters, found), *_moved(unasked, recorded)]
    unsaid = [
        Problem(one.where, f"{one.name} doesn't say which cluster it is: {_said(one, answer)}")
        for one in unasked
        if isinstance(answer := answers.get(one.where), Unreachable) and _must_say(one, answer)
    ]
    if problems or (unsaid and not preview):
        source = f"stacks/Pulumi.{stack}.yaml"
        raise StackError(source, with_lines([*problems, *unsaid], stack_file(stack)))
    warnings = [f"{one.path}: {one.message}" for one in unsaid]
    warnings += [*_by_server_alone(unasked, answers), *_let_in(clusters, found)]
    unknown = {one.path for one in unsaid}
    return Recognised(
        _filled(fleet, recorded, found),
        warnings,
        frozenset(one.spoke.name for one in unasked if one.spoke and one.where in unknown),
    )


def _clusters(fleet: Fleet, kubeconfig: Kubeconfig, recorded: Identities) -> list[_Cluster]:
    context = fleet.hub.context
    hub = kubeconfig.access(context)
    found = [_Cluster("fleet:hub", "the hub", context, hub, fleet.hub.identity, recorded.hub)]
    for index, spoke in enumerate(fleet.spokes):
        if not spoke.in_cluster:
            found.append(
                _Cluster(
                    f"fleet:spokes[{index}]",
                    f'"{spoke.name}"',
                    spoke.context,
                    _way_to(fleet, spoke, kubeconfig),
                    spoke.identity,
                    recorded.spokes.get(spoke.name, ""),
                    spoke,
                    fleet.works_on(spoke),
                )
            )
    return found


def _way_to(fleet: Fleet, spoke: Spoke, kubeconfig: Kubeconfig) -> ClusterAccess | None:
    """How this machine asks the spoke, be it only for this; None where its context has nobody who could.

    Where Pulumi works by it, even nobody may do: a proxy on the way knows who it is.
    """
    try:
        found = kubeconfig.access(spoke.context) if spoke.context else None
    except KubeconfigError:
        return None
    return found if found and (found.user or fleet.works_on(spoke)) else None


def _answers(clusters: Iterable[_Cluster]) -> dict[str, _Answer]:
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        asked = {one.where: pool.submit(_ask, one, one.access) for one in clusters if one.access}
        return {where: answer.result() for where, answer in asked.items()}


def _ask(one: _Cluster, access: ClusterAccess) -> _Answer:
    # Of one in quarantine no answer is expected.
    retries = 0 if one.spoke and one.spoke.quarantine else PATIENCE
    try:
        return uid(ClusterAPI(Kubeconfig.of(access.kubeconfig), access.context, retries))
    except Unreachable as error:
        return error


def _must_say(one: _Cluster, answer: Unreachable) -> bool:
    """Whether a cluster that doesn't say who it is stops an `up`: Pulumi might change another one."""
    if one.spoke and one.spoke.quarantine:
        # Whoever lets nobody in is left alone by Pulumi too; but not one that only bars this question.
        return isinstance(answer, Refused) and not isinstance(answer, LoggedOut)
    return one.worked_on or (bool(one.wanted) and isinstance(answer, Refused))


def _said(one: _Cluster, answer: Unreachable) -> str:
    if isinstance(answer, LoggedOut):
        return f"{answer}; log in to it again"
    if isinstance(answer, Refused):
        return f"{answer}; its user needs to `get` the namespace kube-system"
    instead = "; if it won't, give it `quarantine: <why>`" if one.spoke else ""
    return f"{answer}; run this again when it does{instead}"


def _changed(clusters: list[_Cluster], found: Mapping[str, str]) -> Iterator[Problem]:
    owners = {one.recorded: one for one in clusters if one.recorded}
    for one in clusters:
        live = found.get(one.where)
        wanted = one.wanted or one.recorded
        if not live or not wanted or live == wanted:
            continue
        owner = owners.get(live)
        known = f", which is that of {owner.name}" if owner and owner is not one else ""
        if one.wanted:
            yield Problem(
                f"{one.where}.identity",
                f'{one.name} is to be the cluster {wanted}, and context "{one.context}" leads to {live}{known}; mend '
                "the kubeconfig, or the identity",
            )
        else:
            yield Problem(
                one.where,
                f'{one.name} is another cluster than before: context "{one.context}" leads to {live}{known}, and it '
                f"was {wanted}. Are contexts or servers of the kubeconfig mixed up? Then mend that. Only if the "
                f"cluster was made anew: write `identity: {live}` here, and go on as docs/recover.md has it",
            )


def _let_in(clusters: list[_Cluster], found: Mapping[str, str]) -> Iterator[str]:
    for one in clusters:
        if one.wanted and one.recorded and found.get(one.where) == one.wanted != one.recorded:
            yield (
                f"{one.where}.identity: {one.name} is let in as a cluster made anew. Only with `--refresh "
                "--run-program` does Pulumi notice that nothing of the old one is there "
                "(docs/recover.md#a-cluster-was-made-anew)"
            )


def _moved(unasked: Iterable[_Cluster], recorded: Identities) -> Iterator[Problem]:
    """Spokes that nobody can tell from others but by their server, where the kubeconfig has another one now."""
    for one in unasked:
        was = recorded.servers.get(one.spoke.name, "") if one.spoke else ""
        if not one.spoke or not was or one.spoke.server_is_written:
            continue
        if server_key(was) != server_key(now := one.spoke.server):
            yield Problem(
                one.where,
                f'{one.name} is at another server than before: context "{one.context}" leads to {now}, and it was '
                f"{was}; it doesn't say which cluster it is. Are contexts or servers of the kubeconfig mixed up? Then "
                f"mend that. Only if the cluster has moved: write `server: {now}` here",
            )


def _by_server_alone(unasked: Iterable[_Cluster], answers: Mapping[str, _Answer]) -> Iterator[str]:
    """The spokes that Pulumi never works on and that wouldn't say who they are, in one warning."""
    mute = [
        one
        for one in unasked
        if one.where in answers and not one.worked_on and one.spoke and not one.spoke.quarantine
    ]
    if mute:
        names = ", ".join(one.name for one in mute[:_NAMED])
        more = f" and {len(mute) - _NAMED} more" if len(mute) > _NAMED else ""
        yield (
            f"{names}{more}: told from other clusters by the server alone, as it doesn't say which it is: "
            f"{answers[mute[0].where]}"
        )


def _twice(clusters: list[_Cluster], found: Mapping[str, str]) -> Iterator[Problem]:
    seen: dict[str, _Cluster] = {}
    for one in clusters:
        live = found.get(one.where)
        first = seen.setdefault(live, one) if live else one
        if first is one:
            continue
        fix = (
            "if the hub is to be a spoke, write `auth: {kind: inCluster}`"
            if first.spoke is None
            else "take one out, or name its own context"
        )
        yield Problem(
            one.where,
            f'{one.name} and {first.name} are one cluster, {live}, by contexts "{one.context}" and "{first.context}"; '
            f"{fix}",
        )


def _filled(fleet: Fleet, recorded: Identities, found: Mapping[str, str]) -> Fleet:
    hub = found.get("fleet:hub") or recorded.hub or fleet.hub.identity
    spokes = []
    for index, spoke in enumerate(fleet.spokes):
        live = found.get(f"fleet:spokes[{index}]") or (hub if spoke.in_cluster else "")
        known = live or recorded.spokes.get(spoke.name) or spoke.identity
        spokes.append(spoke.filled({"identity": known or None}))
    return fleet.filled({"hub": fleet.hub.filled({"identity": hub or None}), "spokes": spokes})
