"""What a killed `pulumi up` left half-done in the state, and how to mend it. Pure: state in, state out.

While the engine creates an object, the state holds a pending operation with the object's inputs and no ID: Pulumi
can't know whether the create reached the server. For the objects of a fleet the ID follows from the inputs, so each
can be moved among the state's resources, for `pulumi refresh` to read it or drop it.

`pulumi refresh --import-pending-creates` is meant for just this, but in the CLI 3.259 it only forgets the operation:
nothing in its engine ever reads the operations that it marks as importing, and the object is orphaned.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from stacks.desired.contract import STACK_LABEL

_CLOCKS = timedelta(minutes=1)
"""How far the clocks of this machine and of an API server may be apart; that one tells whole seconds."""
State = dict[str, Any]
Verb = Literal["adopt", "forget", "refresh", "ask"]


@dataclass(frozen=True)
class Live:
    """What the cluster says of an object: `exists` is None when nobody could be asked."""

    exists: bool | None
    field_manager: str = ""
    """Under which name Pulumi applied it, to go on under the same and meet no conflict; empty: it never did."""
    reason: str = ""
    owner: str = ""
    """The stack that its label names."""
    created: datetime | None = None


@dataclass(frozen=True)
class Pending:
    """One pending operation of the state."""

    urn: str
    type: str
    """The resource's type token, e.g. `kubernetes:core/v1:Secret`."""
    operation: str
    """`creating`, `updating`, `deleting`, …"""
    inputs: Mapping[str, Any] = field(repr=False)
    provider: str = ""
    """The name of the provider resource, e.g. `prod-us-east-1`."""
    custom: bool = True

    @property
    def name(self) -> str:
        """The last part of the URN."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True)
class Step:
    """What recovery does about one pending operation."""

    pending: Pending
    verb: Verb
    reason: str
    id: str = ""
    field_manager: str = ""
    foreign: bool = False
    """Whether the object is there and somebody else's."""


def pending_of(state: State) -> list[Pending]:
    """The pending operations of an exported state, in its order."""
    found = []
    for entry in state["deployment"].get("pending_operations") or ():
        resource = entry["resource"]
        provider = str(resource.get("provider", "")).split("::")
        found.append(
            Pending(
                urn=resource["urn"],
                type=resource.get("type", ""),
                operation=entry["type"],
                inputs=resource.get("inputs") or {},
                # <urn of the provider>::<its id>; the urn's own last part is its name
                provider=provider[-2] if len(provider) > 2 else "",
                custom=bool(resource.get("custom")),
            )
        )
    return found


def outputs_of(state: State) -> Mapping[str, Any]:
    """The stack's outputs in an exported state: those of its last run that came to its end."""
    resources = state["deployment"].get("resources") or ()
    stacks = (one for one in resources if one.get("type") == "pulumi:pulumi:Stack")
    return (next(stacks, None) or {}).get("outputs") or {}


def identity(pending: Pending) -> str | None:
    """The ID that the provider would have given the object, or None where it doesn't follow from the inputs."""
    inputs = pending.inputs
    if pending.type.startswith("kubernetes:"):
        metadata = inputs.get("metadata")
        if not isinstance(metadata, Mapping) or not _plain(metadata.get("name")):
            return None
        namespace, name = _plain(metadata.get("namespace")), _plain(metadata.get("name"))
        return f"{namespace}/{name}" if namespace else name
    if pattern := _VAULT_IDS.get(pending.type):
        values = {key: _plain(inputs.get(key)) or default for key, default in pattern.keys.items()}
        return pattern.text.format(**values) if all(values.values()) else None
    return None


def plan(state: State, live: Mapping[str, Live], began: datetime | None = None) -> list[Step]:
    """What to do about every pending operation.

    `live` maps URNs to what the clusters said, where they were asked; `began` is when the killed run did, if known.
    """
    known = {resource["urn"]: resource for resource in state["deployment"].get("resources") or ()}
    raw = {
        entry["resource"]["urn"]: entry["resource"]
        for entry in state["deployment"].get("pending_operations") or ()
    }
    return [
        _step(pending, raw[pending.urn], known, live.get(pending.urn, Live(None)), began)
        for pending in pending_of(state)
    ]


def _step(
    pending: Pending,
    raw: State,
    known: Mapping[str, State],
    live: Live,
    began: datetime | None,
) -> Step:
    if pending.operation != "creating":
        return Step(pending, "refresh", f"was {pending.operation}; a refresh reads how it ended")
    if not pending.custom or pending.type.startswith("pulumi:"):
        return Step(pending, "forget", "nothing outside Pulumi's state")
    existing = known.get(pending.urn)
    if existing and not existing.get("delete") and not existing.get("pendingReplacement"):
        return Step(pending, "forget", f"already in the state with the ID {existing.get('id')}")
    identifier = identity(pending)
    if identifier is None:
        return Step(
            pending,
            "ask",
            "its ID does not follow from its inputs; `pulumi refresh --run-program` asks what to do with it",
        )
    if live.exists is None and live.reason:
        return Step(pending, "ask", live.reason, identifier)
    if live.exists is False:
        return Step(pending, "forget", "was not created", identifier)
    earliest = _earliest(raw, known, began)
    if live.exists and (why := _stranger(pending, live, earliest)):
        return Step(pending, "forget", f"exists, but {why}", identifier, foreign=True)
    if lacking := [urn for urn in _references(raw) if urn not in known]:
        return Step(
            pending, "ask", f"refers to {lacking[0]}, which is not in the state", identifier
        )
    if not live.exists:
        reason = "if it was created; else the refresh drops it"
    elif earliest and live.created:
        reason = "was created"
    else:
        reason = "exists; whether by the killed run is not known"
    return Step(pending, "adopt", reason, identifier, live.field_manager)


def _stranger(pending: Pending, live: Live, earliest: datetime | None) -> str:
    """How it shows that somebody else made the object; empty where nothing speaks against the killed run."""
    if not live.field_manager:
        return "Pulumi did not make it"
    if live.owner != _owner(pending.inputs):
        return f'it belongs to stack "{live.owner}"' if live.owner else "it belongs to no stack"
    if earliest and live.created and live.created < earliest - _CLOCKS:
        return f"since {live.created:%Y-%m-%d %H:%M} UTC, before the killed run could make it"
    return ""


def _owner(inputs: Mapping[str, Any]) -> str:
    metadata = inputs.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return _plain(labels.get(STACK_LABEL)) if isinstance(labels, Mapping) else ""


def _earliest(
    resource: State, known: Mapping[str, State], began: datetime | None
) -> datetime | None:
    """Before when it can't have been made: the run had begun, and what it depends on was in the state."""
    times = [known[urn].get("created") for urn in _references(resource) if urn in known]
    return max([*filter(None, (began, *map(moment, times)))], default=None)


def moment(text: object) -> datetime | None:
    """A time as Go or Kubernetes writes it, None for anything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def mend(state: State, steps: list[Step]) -> State:
    """A copy of `state` with the steps taken: what `pulumi stack import` reads."""
    mended = copy.deepcopy(state)
    deployment = mended["deployment"]
    resources: list[State] = deployment.setdefault("resources", [])
    by_urn = {(step.pending.urn, step.pending.operation): step for step in steps}
    for entry in deployment.get("pending_operations") or ():
        resource = entry["resource"]
        step = by_urn[resource["urn"], entry["type"]]
        if step.verb == "adopt":
            replaced = [
                r for r in resources if r["urn"] == resource["urn"] and r.get("pendingReplacement")
            ]
            for old in replaced:
                resources.remove(old)
            # At the end: an object's create starts only when all that it depends on is in the state.
            resources.append({**resource, "id": step.id, "outputs": _outputs(resource, step)})
    # Whatever was left here, `pulumi stack import` would drop.
    deployment["pending_operations"] = []
    return mended


def _outputs(resource: State, step: Step) -> State:
    """The inputs stand in for the outputs until the refresh; a Vault namespace must be among them to be found again."""
    outputs = copy.deepcopy(resource.get("inputs") or {})
    if step.field_manager:
        outputs["__fieldManager"] = step.field_manager
        outputs["__initialApiVersion"] = outputs.get("apiVersion", "")
    return outputs


def _references(resource: State) -> list[str]:
    parent = [resource["parent"]] if resource.get("parent") else []
    provider = [resource["provider"].rsplit("::", 1)[0]] if resource.get("provider") else []
    return [*parent, *provider, *(resource.get("dependencies") or ())]


def _plain(value: object) -> str:
    """A plain text of the state without slashes around it; empty for anything else: a secret is a mapping there."""
    return value.strip("/") if isinstance(value, str) else ""


@dataclass(frozen=True)
class _VaultId:
    """An ID of pulumi-vault: its form, and its keys among the inputs with the plugin's own defaults."""

    text: str
    keys: Mapping[str, str]


_VAULT_IDS = {
    "vault:index/policy:Policy": _VaultId("{name}", {"name": ""}),
    "vault:index/mount:Mount": _VaultId("{path}", {"path": ""}),
    "vault:index/authBackend:AuthBackend": _VaultId("{path}", {"path": ""}),
    "vault:jwt/authBackend:AuthBackend": _VaultId("{path}", {"path": "jwt"}),
    "vault:jwt/authBackendRole:AuthBackendRole": _VaultId(
        "auth/{backend}/role/{roleName}", {"backend": "jwt", "roleName": ""}
    ),
    "vault:kubernetes/authBackendConfig:AuthBackendConfig": _VaultId(
        "auth/{backend}/config", {"backend": "kubernetes"}
    ),
    "vault:kubernetes/authBackendRole:AuthBackendRole": _VaultId(
        "auth/{backend}/role/{roleName}", {"backend": "kubernetes", "roleName": ""}
    ),
}
