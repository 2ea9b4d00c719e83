"""A token of `argocd-manager` on a spoke, with an end, by the TokenRequest API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from fleet.argocd_manager import MANAGER, Object, account, leftovers, listed, roles
from live.cluster_api import ClusterAPI, NotFound, Unreachable
from stacks.desired import argocd_manager
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

SHORTEST = 600
"""The API server refuses tokens for less than ten minutes."""


@dataclass(frozen=True)
class Token:
    """A token, until when it is valid, and for how many seconds the API server gave it."""

    value: str = field(repr=False)
    expires: datetime
    granted: int


@dataclass(frozen=True)
class ManagerPlan:
    """What has to be done on a spoke so that `argocd-manager` is there with its rights, and no others."""

    apply: tuple[Object, ...]
    delete: tuple[Object, ...]
    of_pulumi: bool = False
    """Whether Pulumi made the ServiceAccount that is there now, for another kind of auth, and will delete it."""


def planned(api: ClusterAPI, fleet: Fleet, spoke: Spoke) -> ManagerPlan:
    """What is to be applied on the spoke, and which roles of earlier runs go. Raises Unreachable."""
    wanted = roles(fleet, spoke)
    found = {path: list(api.items(path)) for path in listed()}
    of_pulumi = _of_pulumi(api, argocd_manager.of(fleet, spoke).namespace)
    return ManagerPlan((account(fleet, spoke), *wanted), tuple(leftovers(wanted, found)), of_pulumi)


def make(api: ClusterAPI, plan: ManagerPlan, *, dry_run: bool = False) -> None:
    """Apply and delete as planned; with `dry_run` the API server only says whether it would. Raises Unreachable."""
    for one in plan.apply:
        with _named(one):
            api.apply(one.path, one.document, manager=MANAGER, dry_run=dry_run)
    for one in plan.delete:
        with _named(one):
            api.delete(one.path, dry_run=dry_run)


def request(api: ClusterAPI, fleet: Fleet, spoke: Spoke, lifetime: int) -> Token:
    """A new token for `lifetime` seconds, or as long as the API server gives. Raises Unreachable."""
    path = f"{account(fleet, spoke).path}/token"
    answer = api.post(
        path,
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": lifetime},
        },
    )
    try:
        return Token(
            value=answer["status"]["token"],
            expires=datetime.fromisoformat(answer["status"]["expirationTimestamp"]),
            # The server writes into the request what it made of it.
            granted=int(answer["spec"]["expirationSeconds"]),
        )
    except (KeyError, TypeError, ValueError):
        # Without the cause: it may quote the answer, and that has the token.
        raise Unreachable(f"{path}: the answer is no TokenRequest") from None


def _of_pulumi(api: ClusterAPI, namespace: str) -> bool:
    # By its token Secret, which only Pulumi makes: an account that is nothing but a name has no field managers.
    try:
        api.json(f"/api/v1/namespaces/{namespace}/secrets/{argocd_manager.TOKEN}")
    except NotFound:
        return False
    return True


@contextmanager
def _named(one: Object) -> Iterator[None]:
    try:
        yield
    except NotFound:
        namespace = one.document["metadata"].get("namespace")
        raise Unreachable(
            f"{one.title}: namespace {namespace} does not exist; make it first"
        ) from None
    except Unreachable as error:
        raise Unreachable(f"{one.title}: {error}") from None
