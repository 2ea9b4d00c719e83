"""Gathering the facts of the handover: the hub and every spoke, asked in parallel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from fleet import registrations
from fleet.expected import credentials, hub_stores
from fleet.facts import Application, Hub, Readiness, Spoke
from live.cluster_api import ClusterAPI, NotFound, Unreachable
from stacks.loading.endpoints import endpoints_of
from stacks.loading.kubeconfig import Kubeconfig
from stacks.model.fleet import Fleet

PARALLEL = 32
_ARGO = "/apis/argoproj.io/v1alpha1"
_EXTERNAL_SECRETS = "/apis/external-secrets.io/v1"

Object = Mapping[str, Any]


class Observer:
    """Asks the fleet of one stack how it is, as often as wanted, over connections that it keeps."""

    def __init__(self, fleet: Fleet, kubeconfig: Kubeconfig | None = None) -> None:
        """Raises KubeconfigError where a context that is needed isn't there."""
        kubeconfig = kubeconfig or Kubeconfig.read()
        self._fleet = fleet
        self._stores = [store.name for store in fleet.secret_stores]
        self._hub = ClusterAPI(kubeconfig, fleet.hub.context)
        reached = endpoints_of(fleet, kubeconfig)
        self._spokes = {
            name: ClusterAPI(kubeconfig, found.access.context) if found.access else None
            for name, found in reached.items()
        }
        # By server and by name: an Application names its destination in either way.
        self._destinations = {found.server: name for name, found in reached.items()}
        self._destinations |= {name: name for name in reached}

    def ask(self) -> tuple[Hub, dict[str, Spoke]]:
        """The facts as of now. Whatever can't be reached is a fact too, never an exception."""
        with ThreadPoolExecutor(max_workers=min(PARALLEL, len(self._spokes) + 1)) as pool:
            hub = pool.submit(self._ask_hub)
            spokes = {
                name: pool.submit(ask_spoke, name, api, self._stores)
                for name, api in self._spokes.items()
            }
            return hub.result(), {name: answer.result() for name, answer in spokes.items()}

    def _ask_hub(self) -> Hub:
        context, namespace = self._fleet.hub.context, self._fleet.argocd.namespace
        try:
            version = self._hub.version()
        except Unreachable as error:
            return Hub(context, reachable=False, error=str(error))
        base = f"{_ARGO}/namespaces/{namespace}"
        try:
            applications = tuple(
                application_of(item, self._destinations)
                for item in self._hub.items(f"{base}/applications")
            )
            sets = {
                item["metadata"]["name"]: set_error(item)
                for item in self._hub.items(f"{base}/applicationsets")
            }
        except NotFound:
            missing = "Argo CD is not installed (no Applications API)"
            return Hub(context, reachable=True, version=version, error=missing)
        except Unreachable as failure:
            return Hub(context, reachable=True, version=version, error=str(failure))
        try:
            stores, made = self._credentials(namespace)
        except Unreachable as failure:
            return Hub(context, True, version, str(failure), applications, sets)
        return Hub(
            context,
            True,
            version,
            "",
            applications,
            sets,
            stores,
            made,
            registrations.ask(self._hub, self._fleet),
            registrations.reconciles_within(self._hub, namespace),
        )

    def _credentials(self, namespace: str) -> tuple[tuple[Readiness, ...], tuple[Readiness, ...]]:
        """The hub's stores and the ExternalSecrets that make cluster Secrets: none where no credential is in Vault."""
        stores = tuple(ask_store(self._hub, name) for name in hub_stores(self._fleet))
        wanted = [f"{namespace}/{name}" for name in credentials(self._fleet)]
        if not wanted:
            return stores, ()
        items = map(secret_of, _external_secrets(self._hub, f"/namespaces/{namespace}"))
        have = {secret.name: secret for secret in items}
        absent = (Readiness(name, False, "does not exist") for name in wanted)
        return stores, tuple(have.get(one.name, one) for one in absent)


def ask_spoke(name: str, api: ClusterAPI | None, stores: Sequence[str]) -> Spoke:
    """The facts of one spoke, which should have these stores; without `api` this machine doesn't talk to it."""
    if not api:
        return Spoke(name, reachable=False, asked=False)
    try:
        version = api.version()
    except Unreachable as error:
        return Spoke(name, reachable=False, error=str(error))
    try:
        return Spoke(
            name,
            reachable=True,
            version=version,
            stores=tuple(ask_store(api, store) for store in stores),
            secrets=tuple(secret_of(item) for item in _external_secrets(api)),
        )
    except Unreachable as failure:
        return Spoke(name, reachable=True, version=version, error=str(failure))


def ask_store(api: ClusterAPI, name: str) -> Readiness:
    """Whether the ClusterSecretStore of this name is Ready. Raises Unreachable."""
    try:
        ready, message = ready_condition(
            api.json(f"{_EXTERNAL_SECRETS}/clustersecretstores/{name}")
        )
    except NotFound:
        # The store's own 404 and that of a kind that isn't installed yet read the same to whoever waits.
        return Readiness(name, False, "does not exist")
    return Readiness(name, ready, "" if ready else message)


def _external_secrets(api: ClusterAPI, inside: str = "") -> list[dict[str, Any]]:
    try:
        return list(api.items(f"{_EXTERNAL_SECRETS}{inside}/externalsecrets"))
    except NotFound:
        return []


def application_of(item: Object, destinations: Mapping[str, str]) -> Application:
    """An Argo CD Application as the API returns it. `destinations` maps a spoke's server or name to its name."""
    status = item.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    destination = (item.get("spec") or {}).get("destination") or {}
    target = str(destination.get("server") or destination.get("name") or "")
    owners = item["metadata"].get("ownerReferences") or ()
    revisions = [sync.get("revision"), *(sync.get("revisions") or ())]
    application = Application(
        name=item["metadata"]["name"],
        spoke=destinations.get(target.rstrip("/"), target),
        application_set=next(
            (owner["name"] for owner in owners if owner.get("kind") == "ApplicationSet"), ""
        ),
        sync=sync.get("status") or "Unknown",
        health=health.get("status") or "Unknown",
        revision=next((str(revision) for revision in revisions if revision), ""),
        reconciled=moment(status.get("reconciledAt")),
    )
    if application.good:
        return application
    return Application(**{**vars(application), "message": _trouble(status)})


def moment(text: object) -> datetime | None:
    """A point in time as Kubernetes writes it; None for anything else."""
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _trouble(status: Object) -> str:
    """Why an Application isn't well: an error it reports, else its last operation's message."""
    errors = [c for c in status.get("conditions") or () if str(c.get("type", "")).endswith("Error")]
    operation = status.get("operationState") or {}
    candidates = [
        *(error.get("message") for error in errors),
        operation.get("message") if operation.get("phase") not in (None, "Succeeded") else None,
        (status.get("health") or {}).get("message"),
    ]
    return _line(next((message for message in candidates if message), ""))


def set_error(item: Object) -> str:
    """The error that an ApplicationSet reports, empty when it has none."""
    conditions = (item.get("status") or {}).get("conditions") or ()
    if not conditions:
        return "Argo CD has not looked at it yet"
    for condition in conditions:
        if condition.get("type") == "ErrorOccurred" and condition.get("status") == "True":
            return _line(condition.get("message") or condition.get("reason") or "an error")
    return ""


def secret_of(item: Object) -> Readiness:
    """An ExternalSecret as the API returns it."""
    ready, message = ready_condition(item)
    name = f"{item['metadata']['namespace']}/{item['metadata']['name']}"
    return Readiness(name, ready, "" if ready else message)


def ready_condition(item: Object) -> tuple[bool, str]:
    """Whether the Ready condition is True, and its message."""
    for condition in (item.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Ready":
            return condition.get("status") == "True", _line(condition.get("message") or "")
    return False, ""


def _line(text: object) -> str:
    """`text` on one line: controllers put whole stack traces of newlines into messages."""
    return " ".join(str(text).split())
