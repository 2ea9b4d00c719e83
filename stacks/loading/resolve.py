"""Where each spoke is: what the stack file leaves to the kubeconfig, filled in from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stacks.loading.contexts import cluster_problems, user_problems
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError, server_of
from stacks.loading.way import reached_by
from stacks.model.errors import Problem, did_you_mean
from stacks.model.fields import is_loopback, server_key
from stacks.model.fleet import Fleet
from stacks.model.spoke import IN_CLUSTER_SERVER, Spoke

# What a kubeconfig's user has, for each kind of auth that takes it from there.
_CREDENTIALS: dict[str, tuple[str, ...]] = {
    "token": ("token",),
    "clientCertificate": ("client-certificate-data", "client-key-data"),
    "basic": ("username", "password"),
}
# Finding the nearest context takes long where there are many; whoever misses this many doesn't need a hint for each.
_HINTS = 20


def resolve(fleet: Fleet, kubeconfig: Kubeconfig) -> tuple[Fleet, list[Problem]]:
    """`fleet` with what its spokes leave to the kubeconfig filled in from there, and what kept it from that.

    That is each spoke's context, where one is needed or there is one of its name, and its server, with what a context
    says of the way there. `server` stays empty only where there is a problem.
    """
    problems: list[Problem] = []
    hub: Mapping[str, Any] = {}
    try:
        hub = kubeconfig.cluster(fleet.hub.context)
        problems += _hub(fleet, hub, kubeconfig)
    except KubeconfigError as error:
        named = fleet.hub.context in kubeconfig.contexts
        hint = "" if named else did_you_mean(fleet.hub.context, kubeconfig.contexts)
        problems.append(
            Problem("fleet:hub.context", f"{error}; add it to the kubeconfig or name another{hint}")
        )
    spokes = []
    for index, spoke in enumerate(fleet.spokes):
        where = f"fleet:spokes[{index}]"
        known = kubeconfig.contexts if len(problems) < _HINTS else ()
        filled, cluster, problem = _located(fleet, spoke, kubeconfig, where, known)
        if problem:
            problems.append(problem)
        if not problem and filled["context"] and not spoke.in_cluster:
            found = list(_context(fleet, spoke, filled["context"], kubeconfig, where))
            # What is wrong with the server as well is no news then.
            if not found:
                way, found = reached_by(fleet, spoke, cluster, where)
                filled |= way
            problems += found
            problems += _same_as_hub(spoke, filled["context"], cluster, hub, kubeconfig, where)
        if not problem and spoke.credential_from_context:
            problems += _credential(spoke, filled["context"], kubeconfig, where)
        filled["server"] = spoke.server or (server_of(cluster) if cluster else "")
        if spoke.in_cluster:
            filled["server"] = IN_CLUSTER_SERVER
            filled["issuer"] = spoke.issuer or (server_of(hub) if hub else "")
        if spoke.identity and (said := _unasked(spoke, filled["context"])):
            problems.append(Problem(f"{where}.identity", said))
        spokes.append(spoke.filled(filled))
    resolved = fleet.model_copy(update={"spokes": spokes})
    if hub:
        problems += _too_near(fleet, resolved, server_of(hub))
    return resolved, problems


def _hub(fleet: Fleet, cluster: Mapping[str, Any], kubeconfig: Kubeconfig) -> Iterator[Problem]:
    context = fleet.hub.context
    for said in [*cluster_problems(cluster), *_logging_in(context, kubeconfig)]:
        yield Problem("fleet:hub.context", f'context "{context}": {said}')


def _context(
    fleet: Fleet, spoke: Spoke, context: str, kubeconfig: Kubeconfig, where: str
) -> Iterator[Problem]:
    """What is wrong with the context of a spoke, in itself."""
    logs_in = fleet.needs_context(spoke)
    # With a server of its own, and nobody who logs in, nothing of the context is used.
    uses_cluster = logs_in or not spoke.server
    found = [
        *(cluster_problems(kubeconfig.cluster(context)) if uses_cluster else ()),
        *(_logging_in(context, kubeconfig) if logs_in else ()),
    ]
    key = "context" if spoke.context else "name"
    for said in found:
        yield Problem(f"{where}.{key}", f'context "{context}": {said}')


def _logging_in(context: str, kubeconfig: Kubeconfig) -> Iterator[str]:
    """What is wrong with a context for those who log in by it."""
    try:
        yield from user_problems(kubeconfig.user(context))
    except KubeconfigError as error:
        yield str(error)
    if mixed := kubeconfig.mixed_up(context):
        yield mixed


def _same_as_hub(
    spoke: Spoke,
    context: str,
    cluster: Mapping[str, Any],
    hub: Mapping[str, Any],
    kubeconfig: Kubeconfig,
    where: str,
) -> Iterator[Problem]:
    """A spoke whose context leads to the hub: Pulumi would make the spoke's objects there."""
    if hub and server_key(server_of(cluster)) == server_key(server_of(hub)):
        mixed = kubeconfig.mixed_up(context)
        why = f" ({mixed})" if mixed else ""
        yield Problem(
            f"{where}.{'context' if spoke.context else 'name'}",
            f'context "{context}" leads to the hub itself, {server_of(hub)}{why}; name the spoke\'s own context, or '
            "write `auth: {kind: inCluster}` if the hub is to be a spoke",
        )


def _too_near(given: Fleet, resolved: Fleet, hub: str) -> Iterator[Problem]:
    """Servers at which the hub would find itself, or nobody. What a context leads to has been told by its name."""
    for index, (written, spoke) in enumerate(zip(given.spokes, resolved.spokes, strict=True)):
        if spoke.in_cluster or not spoke.server:
            continue
        if written.server and server_key(spoke.server) == server_key(hub):
            said = "is the hub itself; write the spoke's own address, or `auth: {kind: inCluster}` if it is meant"
        elif is_loopback(spoke.server) and not is_loopback(hub):
            said = (
                f"is of this machine alone, and the hub ({hub}) can't reach it; add `server:` with the address "
                "by which the hub does"
            )
        else:
            continue
        yield Problem(f"fleet:spokes[{index}].server", f'"{spoke.server}" {said}')


def _located(
    fleet: Fleet, spoke: Spoke, kubeconfig: Kubeconfig, where: str, known: Iterable[str]
) -> tuple[dict[str, Any], Mapping[str, Any], Problem | None]:
    """The context of a spoke and that context's cluster, or the problem that there is none with its hint."""
    if spoke.in_cluster:
        # A hub without a context is a problem of its own.
        given = "server" if spoke.server else "context" if spoke.context else ""
        return {"context": fleet.hub.context}, {}, _not_given(where, given) if given else None
    context = spoke.context or spoke.name
    if not spoke.context and not fleet.needs_context(spoke) and context not in kubeconfig.contexts:
        problem = None
        if not spoke.server:
            problem = Problem(
                f"{where}.server",
                f'required, as {kubeconfig.source} has no context "{context}"; add `server:`, or `context:`'
                f"{did_you_mean(context, known)}",
            )
        return {"context": ""}, {}, problem
    try:
        return {"context": context}, kubeconfig.cluster(context), None
    except KubeconfigError as error:
        hint = did_you_mean(context, known) if context not in kubeconfig.contexts else ""
        key = "context" if spoke.context else "name"
        fix = "add it to the kubeconfig, or write `context:` in this block"
        return {"context": context}, {}, Problem(f"{where}.{key}", f"{error}; {fix}{hint}")


def _unasked(spoke: Spoke, context: str) -> str:
    """Why nobody could ask the spoke for its identity; empty where it can be asked."""
    if spoke.in_cluster:
        return "is the hub's with `auth: {kind: inCluster}`; write it as `fleet:hub.identity`"
    if not context:
        return "nobody here can ask for it, as the kubeconfig has no context of this spoke; take it out, or add one"
    return ""


def _not_given(where: str, key: str) -> Problem:
    return Problem(
        f"{where}.{key}",
        "goes without saying with `auth: {kind: inCluster}`, which is the hub; take it out",
    )


def _credential(spoke: Spoke, context: str, kubeconfig: Kubeconfig, where: str) -> list[Problem]:
    """What keeps the credential of a context from being the hub's too."""
    try:
        user = kubeconfig.user(context)
    except KubeconfigError as error:
        return [Problem(f"{where}.auth.kind", f'the user of context "{context}": {error}')]
    if all(user.get(key) for key in _CREDENTIALS[spoke.auth.kind]):
        return []
    there = [kind for kind, keys in _CREDENTIALS.items() if all(user.get(key) for key in keys)]
    instead = there or (["exec", "eks", "gke", "aks"] if "exec" in user else ["serviceAccount"])
    # Names of keys only: the values are secrets.
    has = ", ".join(sorted(map(str, user))) or "no credential"
    needs = " and ".join(_CREDENTIALS[spoke.auth.kind])
    return [
        Problem(
            f"{where}.auth.kind",
            f'"{spoke.auth.kind}" needs {needs}, but the user of context "{context}" has {has}; '
            f"write `kind: {' or '.join(instead)}`, or name another `context:`",
        )
    ]
