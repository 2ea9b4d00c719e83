"""The ApplicationSets: what they take, what they make, and what they read of a spoke."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from stacks.checks import templates
from stacks.checks.contract_of import Contract
from stacks.checks.repeats import repeats
from stacks.desired import sets
from stacks.model.errors import Problem, did_you_mean
from stacks.model.fields import revision_problem
from stacks.model.fleet import ApplicationSet, Fleet

_DIRECTORY_KEYS = ("path", "application", "namespace")


def shapes(fleet: Fleet) -> Iterator[Problem]:
    """What is wrong with the sets' own blocks, whatever they take."""
    for index, first, one in repeats(fleet.application_sets, lambda one: one.name):
        yield Problem(
            f"fleet:applicationSets[{index}].name",
            f'"{one.name}" is the name of fleet:applicationSets[{first}] already',
        )
    for index, one in enumerate(fleet.application_sets):
        where = f"fleet:applicationSets[{index}]"
        yield from _templates(where, one)
        if one.exclude and one.layout != "services":
            yield Problem(
                f"{where}.exclude",
                f"goes with `layout: services` only, and this one is `{one.layout}`; take it out",
            )
        if one.layout == "directory":
            if not one.path:
                yield Problem(f"{where}.path", "required with `layout: directory`; add it")
            continue
        for key in _DIRECTORY_KEYS:
            if getattr(one, key):
                yield Problem(
                    f"{where}.{key}",
                    f"goes with `layout: directory` only, and this one is `{one.layout}`; take it out",
                )


def _templates(where: str, one: ApplicationSet) -> Iterator[Problem]:
    """What is wrong with a set's templates as text, whatever they read."""
    for key, template in (("path", one.path), ("revision", one.revision)):
        told = False
        for said in templates.problems(template or ""):
            told = True
            yield Problem(f"{where}.{key}", said)
        if told and key == "path":
            return
    revision = templates.ACTION.sub("x", one.revision or "")
    if revision and (why := revision_problem(revision)):
        yield Problem(f"{where}.revision", f'"{one.revision}" {why}; write e.g. "main"')
    path = templates.ACTION.sub("x", one.path or "")
    if path.startswith("/"):
        yield Problem(
            f"{where}.path",
            f'"{one.path}" is absolute, and the path is one in the repo; write it without the "/" before it',
        )
    elif ".." in path.split("/"):
        yield Problem(
            f"{where}.path",
            f'"{one.path}" leads out of where it begins; write the path from the repo\'s root, without ".."',
        )


def problems(fleet: Fleet, stack: str, contracts: Sequence[Contract]) -> Iterator[Problem]:
    """What is wrong with what the sets do to the spokes, which have these contracts."""
    if not fleet.spokes:
        if fleet.application_sets:
            yield Problem(
                "fleet:applicationSets",
                "there are no spokes here for them; move the sets into the stacks that have the spokes, or add spokes",
            )
        return
    taken = []
    for one in fleet.application_sets:
        chosen = sets.selector(fleet, one)
        taken.append(
            [index for index, known in enumerate(contracts) if sets.matches(chosen, known.labels)]
        )
    for position, (one, indices) in enumerate(zip(fleet.application_sets, taken, strict=True)):
        where = f"fleet:applicationSets[{position}]"
        if not indices:
            yield from _takes_none(where, one, contracts)
        if not any(map(_unreadable, (one.path, one.revision))):
            yield from _reads(where, one, fleet, [(index, contracts[index]) for index in indices])
        yield from _deletes(where, one, fleet, indices)
        yield from _shut_out(where, one, fleet, indices)
    yield from _applications(fleet, stack, taken)


def _unreadable(template: str | None) -> bool:
    return any(templates.problems(template or ""))


def _takes_none(
    where: str, one: ApplicationSet, contracts: Sequence[Contract]
) -> Iterator[Problem]:
    there = True
    for key, value in one.selector.items():
        values = {known.labels[key] for known in contracts if key in known.labels}
        if not values:
            there = False
            names = {name for known in contracts for name in known.labels}
            yield Problem(
                f"{where}.selector.{key}",
                f'takes no spoke: none has the label "{key}"{did_you_mean(key, names)}',
            )
        elif value not in values:
            there = False
            some = sorted(values)
            have = ", ".join(some[:5]) + (", …" if len(some) > 5 else "")
            yield Problem(
                f"{where}.selector.{key}",
                f'takes no spoke: none has {key} "{value}"; they have {have}{did_you_mean(value, some)}',
            )
    if there:
        yield Problem(
            f"{where}.selector",
            "takes no spoke: none has all of these labels; take one out, or label the spokes",
        )


def _reads(
    where: str, one: ApplicationSet, fleet: Fleet, taken: Sequence[tuple[int, Contract]]
) -> Iterator[Problem]:
    read = sets.references(one)
    for kind, names in (("label", read.labels), ("annotation", read.annotations)):
        for name in sorted(names):
            lacking = []
            known: Mapping[str, str] = {}
            for index, contract in taken:
                carried = contract.labels if kind == "label" else contract.annotations
                if name not in carried:
                    lacking.append(index)
                    known = known or carried
            if lacking:
                more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
                yield Problem(
                    where,
                    f'reads the {kind} "{name}", which "{fleet.spokes[lacking[0]].name}"{more} of its spokes '
                    f"{'lack' if more else 'lacks'}; add it under `{kind}s:` in the spoke's block"
                    f"{did_you_mean(name, known)}",
                )


def _deletes(
    where: str, one: ApplicationSet, fleet: Fleet, taken: Sequence[int]
) -> Iterator[Problem]:
    if one.preserve:
        return
    for spoke in (fleet.spokes[index] for index in taken):
        if spoke.environment in fleet.protected_environments:
            yield Problem(
                f"{where}.preserve",
                f'false would let this set delete the workloads of "{spoke.name}", and "{spoke.environment}" is one of '
                "fleet:protectedEnvironments; take `preserve` out, or select other environments",
            )
            return


def _shut_out(
    where: str, one: ApplicationSet, fleet: Fleet, taken: Sequence[int]
) -> Iterator[Problem]:
    """Spokes where Argo CD may not do anything in the namespace that the set deploys into."""
    namespace = one.namespace or sets.suffix(one)
    if not namespace:
        return  # Each service has its own.
    for spoke in (fleet.spokes[index] for index in taken):
        allowed = fleet.rbac_of(spoke).namespaces
        if allowed and namespace not in allowed:
            yield Problem(
                where,
                f'deploys into the namespace "{namespace}", and on "{spoke.name}" `rbac.namespaces` lets Argo CD into '
                f"{', '.join(allowed)} only; add it there, or select other spokes",
            )
            return


def _applications(fleet: Fleet, stack: str, taken: Sequence[Sequence[int]]) -> Iterator[Problem]:
    """Two sets must not make one Application: each would overwrite what the other wrote, for ever."""
    # By name: the set that makes it, and for which spoke. Fleet's own delivery of External Secrets makes some as well.
    made: dict[str, tuple[str, str]] = {}
    own = sets.external_secrets_set(stack)
    for spoke in fleet.spokes:
        if fleet.delivery_of(spoke) == "argocd":
            made[f"{spoke.name}-{sets.EXTERNAL_SECRETS}"] = (own, spoke.name)
    services: dict[int, str] = {}
    for position, (one, indices) in enumerate(zip(fleet.application_sets, taken, strict=True)):
        where = f"fleet:applicationSets[{position}]"
        if made and one.name == own:
            yield Problem(
                f"{where}.name",
                f'"{own}" is the set by which Argo CD delivers External Secrets; choose another name',
            )
        told: set[str] = set()
        for index in indices:
            spoke = fleet.spokes[index]
            name = sets.application_name(one, spoke.name)
            if name is None:
                other = services.setdefault(index, one.name)
                if other != one.name and other not in told:
                    told.add(other)
                    yield Problem(
                        f"{where}.selector",
                        f'takes "{spoke.name}", whose services "{other}" makes already; let one `services` set take a '
                        "spoke, told apart by `selector:`",
                    )
                continue
            other, its_spoke = made.setdefault(name, (one.name, spoke.name))
            if (other, its_spoke) != (one.name, spoke.name) and other not in told:
                told.add(other)
                yield Problem(
                    where,
                    f'makes the Application "{name}" for "{spoke.name}", which "{other}" makes for "{its_spoke}"; '
                    + (
                        "select other spokes, or write another `application:` (with `layout: directory`)"
                        if its_spoke == spoke.name
                        else "rename one of the spokes or sets, or write another `application:`"
                    ),
                )
