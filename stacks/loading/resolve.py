"""Where each spoke is: what the stack file leaves to the kubeconfig, filled in from there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError, server_of
from stacks.model.errors import Problem, did_you_mean
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
    """`fleet` with each spoke's context, server and issuer filled in from the kubeconfig, and what kept it from that.

    A context is filled in where one is needed, or there is one of the spoke's name; `server` and `issuer` stay empty
    only where there is a problem.
    """
    problems: list[Problem] = []
    hub = ""
    try:
        hub = server_of(kubeconfig.cluster(fleet.hub.context))
    except KubeconfigError as error:
        hint = did_you_mean(fleet.hub.context, kubeconfig.contexts)
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
        elif spoke.credential_from_context:
            problems += _credential(spoke, filled["context"], kubeconfig, where)
        server = spoke.server or (server_of(cluster) if cluster else "")
        issuer = server
        if spoke.in_cluster:
            server, issuer = IN_CLUSTER_SERVER, hub
        filled |= {"server": server, "issuer": spoke.issuer or issuer}
        spokes.append(spoke.model_copy(update=filled))
    return fleet.model_copy(update={"spokes": spokes}), problems


def _located(
    fleet: Fleet, spoke: Spoke, kubeconfig: Kubeconfig, where: str, known: Iterable[str]
) -> tuple[dict[str, str], Mapping[str, Any], Problem | None]:
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
        hint = did_you_mean(context, known)
        key = "context" if spoke.context else "name"
        fix = "add it to the kubeconfig, or write `context:` in this block"
        return {"context": context}, {}, Problem(f"{where}.{key}", f"{error}; {fix}{hint}")


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
