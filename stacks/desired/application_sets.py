"""The stack's ApplicationSets: which spokes each takes, and what it deploys there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from stacks.desired import application_template, projects, sets
from stacks.model.fleet import ApplicationSet, Fleet


def set_spec(fleet: Fleet, stack: str, one: ApplicationSet) -> dict[str, Any]:
    """The spec of one ApplicationSet of the stack's file."""
    generator: dict[str, Any] = {"clusters": {"selector": sets.selector(fleet, one)}}
    revision = one.revision or fleet.gitops.revision
    application = namespace = sets.suffix(one) or "{{index .path.segments 1}}"
    match one.layout:
        case "platform":
            path = "clusters/{{.name}}/platform"
        case "services":
            path = "{{.path.path}}"
            git = {
                "repoURL": fleet.gitops.repo,
                "revision": revision,
                "directories": [
                    {"path": 'apps/*/overlays/{{index .metadata.labels "environment"}}'},
                    *(
                        {"path": f"apps/{name}/overlays/*", "exclude": True}
                        for name in left_out(fleet, stack, one)
                    ),
                ],
            }
            generator = {"matrix": {"generators": [generator, {"git": git}]}}
        case "directory":
            assert one.path, "loading a stack file requires it"
            path, namespace = one.path, one.namespace or application
    return application_template.spec(
        generator=generator,
        application=application,
        project=sets.project(fleet, stack, one),
        source={"repoURL": fleet.gitops.repo, "targetRevision": revision, "path": path},
        namespace=namespace,
        retry=(
            application_template.PATIENT
            if one.layout == "services"  # their namespaces are the platform's
            else application_template.SYNC_POLICY["retry"]
        ),
        preserve=one.preserve,
    )


def left_out(fleet: Fleet, stack: str, services: ApplicationSet) -> list[str]:
    """The directories under apps/ that are no services, sorted; patterns.

    One named as a system namespace would deploy into it. One named as what another set deploys to the same spoke would
    be the same Application, and so would one on `prod` whose name begins with what `prod-eu` has beyond that. Those of
    other stacks' spokes, the set's own `exclude` must name: `fleet check` finds them.
    """
    names = {*projects.system_namespaces(fleet), *services.exclude}
    return sorted(names | same_applications(fleet, stack, services, made(fleet, stack)))


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
