"""The stack's ApplicationSets: which spokes each takes, and what it deploys there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from stacks.desired import application_template, projects, sets
from stacks.model.fleet import ApplicationSet, Fleet

TEAM_LABEL = "team"
"""The label of a team's Applications that names it."""


def set_spec(fleet: Fleet, stack: str, one: ApplicationSet) -> dict[str, Any]:
    """The spec of one ApplicationSet of the stack's file."""
    repo = sets.repo(fleet, one)
    generator: dict[str, Any] = {"clusters": {"selector": sets.selector(fleet, one)}}
    revision = one.revision or fleet.gitops.revision
    application = namespace = sets.suffix(one) or _service(one)
    match one.layout:
        case "platform":
            path = "clusters/{{.name}}/platform"
        case "services":
            path = "{{.path.path}}"
            git = {
                "repoURL": repo,
                "revision": revision,
                "directories": directories(fleet, stack, one),
            }
            generator = {"matrix": {"generators": [generator, {"git": git}]}}
        case "directory":
            assert one.path, "loading a stack file requires it"
            path, namespace = one.path, one.namespace or application
    return application_template.spec(
        generator=generator,
        application=application,
        project=sets.project(fleet, stack, one),
        source={"repoURL": repo, "targetRevision": revision, "path": path},
        namespace=namespace,
        retry=(
            application_template.PATIENT
            if one.layout == "services"  # their namespaces are the platform's
            else application_template.SYNC_POLICY["retry"]
        ),
        preserve=one.preserve,
        labels={TEAM_LABEL: one.team.name} if isinstance(one, sets.TeamSet) else {},
    )


def directories(fleet: Fleet, stack: str, services: ApplicationSet) -> list[dict[str, Any]]:
    """The directories that a set of services takes, and, with `exclude`, those that it leaves out."""
    folder = sets.services_folder(services)
    names = services.team.namespaces if isinstance(services, sets.TeamSet) else ["*"]
    overlay = '{{index .metadata.labels "environment"}}'
    return [
        *({"path": f"{folder}/{name}/overlays/{overlay}"} for name in names),
        *(
            {"path": f"{folder}/{name}/overlays/*", "exclude": True}
            for name in left_out(fleet, stack, services)
        ),
    ]


def patterns(fleet: Fleet, stack: str, one: ApplicationSet) -> frozenset[tuple[str, bool]]:
    """The same as pairs: each directory, and whether it is left out. None where the set isn't one of services."""
    if one.layout != "services":
        return frozenset()
    return frozenset(
        (each["path"], each.get("exclude", False)) for each in directories(fleet, stack, one)
    )


def _service(one: ApplicationSet) -> str:
    """The template of a service's name: the directory behind that which has the services."""
    return f"{{{{index .path.segments {len(sets.services_folder(one).split('/'))}}}}}"


def left_out(fleet: Fleet, stack: str, services: ApplicationSet) -> list[str]:
    """The directories that a set of services leaves out, sorted; patterns.

    Those of teams, whose own sets leave out only what they would take else. One named as a system namespace would
    deploy into it. One named as what another set deploys to the same spoke would be the same Application, and so would
    one on `prod` whose name begins with what `prod-eu` has beyond that. Those of other stacks' spokes, the set's own
    `exclude` must name: `fleet check` finds them.
    """
    names = {*projects.system_namespaces(fleet), *services.exclude}
    names |= same_applications(fleet, stack, services, made(fleet, stack))
    if isinstance(services, sets.TeamSet):
        return sorted(name for name in names if services.has(name))
    return sorted(names | {name for team in fleet.teams for name in team.namespaces})


def same_applications(
    fleet: Fleet, stack: str, services: ApplicationSet, applications: Iterable[str]
) -> set[str]:
    """The directories under apps/ of which a set of services would make Applications of these names."""
    taken = {spoke.name for spoke in sets.spokes(fleet, stack, services)}
    names = set()
    for application in applications:
        words = application.split("-")
        for cut in range(1, len(words)):
            if "-".join(words[:cut]) in taken:
                names.add("-".join(words[cut:]))
    return names


def made(fleet: Fleet, stack: str) -> Iterator[str]:
    """The Applications of the stack's spokes that aren't a service's."""
    for one in fleet.application_sets:
        for spoke in sets.spokes(fleet, stack, one):
            if name := sets.application_name(one, spoke.name):
                yield name
    for spoke in fleet.spokes:
        if fleet.delivery_of(spoke) == "argocd":
            yield f"{spoke.name}-{sets.EXTERNAL_SECRETS}"
