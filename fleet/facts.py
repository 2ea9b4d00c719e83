"""What a fleet says of itself when asked: the facts that the handover is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Application:
    """One Argo CD Application. `spoke` is the spoke's name, or the destination as written where it is none of ours."""

    name: str
    spoke: str
    application_set: str = ""
    sync: str = "Unknown"
    health: str = "Unknown"
    revision: str = ""
    message: str = ""
    reconciled: datetime | None = None
    """When Argo CD last compared it with its commit; None where it never did."""

    @property
    def good(self) -> bool:
        """Synced to a known revision, and Healthy."""
        return self.sync == "Synced" and self.health == "Healthy" and bool(self.revision)


@dataclass(frozen=True)
class Readiness:
    """A ClusterSecretStore by its name, or an ExternalSecret as `<namespace>/<name>`: is it Ready, and why not."""

    name: str
    ready: bool
    message: str = ""

    @property
    def trouble(self) -> str:
        """What to say of it where it isn't Ready."""
        return f"{self.name}: {self.message or 'not Ready yet'}"


@dataclass(frozen=True)
class Registration:
    """How Argo CD stands to a spoke that it has a cluster Secret for.

    `changed` is when that was last written, None where nobody says; `tried` tells whether this machine could come to
    the spoke as Argo CD does, and `trouble` what the spoke said against that.
    """

    changed: datetime | None = None
    tried: bool = False
    trouble: str = ""


@dataclass(frozen=True)
class Hub:
    """What the hub says. `error` is empty exactly when everything asked for could be read."""

    context: str
    reachable: bool
    version: str = ""
    error: str = ""
    applications: tuple[Application, ...] = ()
    application_sets: Mapping[str, str] | None = None
    """ApplicationSet name → its error, empty when it has none; None when they could not be read."""
    stores: tuple[Readiness, ...] = ()
    """The ClusterSecretStores on the hub that spokes' credentials come from."""
    credentials: tuple[Readiness, ...] = ()
    """The ExternalSecrets on the hub that make this stack's cluster Secrets."""
    registrations: Mapping[str, Registration] | None = None
    """The stack's spokes that Argo CD has a cluster Secret for, by name; None where those could not be read."""
    reconciles_within: float = 0
    """Seconds in which Argo CD compares every Application anew; 0 where it does so only when told."""


@dataclass(frozen=True)
class Spoke:
    """What one spoke says. `error` is empty exactly when everything asked for could be read."""

    name: str
    reachable: bool
    version: str = ""
    error: str = ""
    stores: tuple[Readiness, ...] = ()
    secrets: tuple[Readiness, ...] = ()
    asked: bool = True
    """False where this machine doesn't talk to the spoke: all that is known of it are its Applications."""
