"""A service on a cluster: one cell of the matrix that `fleet services` shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What git says that a service is on a cluster, and, where the hub was asked, what runs there."""

    service: str
    environment: str
    cluster: str
    team: str
    """"" for the platform's own repo without a team."""
    repo: str
    """URL of the repo that it is deployed from."""
    images: tuple[str, ...]
    """As the overlay names them, `registry.example.com/payment-service:v2.3.0`; empty where it names none."""
    version: str
    """The tag, or the shortened digest, of the first; all that differ, with a comma between. "" where there is none."""
    commit: str
    """The commit that has brought these images to the branch, 40 hex digits."""
    at: datetime
    """When that was, by git."""
    by: str
    """Who promoted it: by the commit's trailers, else its author."""
    source: str
    """The environment that it is promoted from, "" where none is known."""
    behind: int | None
    """How many versions the source has had since the one that is here; None where that can't be told."""
    held: tuple[str, ...]
    """Images that are on hold here, since a rollback."""
    running: tuple[str, ...]
    """What Argo CD says that runs; empty where the hub wasn't asked."""
    sync: str
    """Argo CD's sync status: Synced, OutOfSync, Unknown; "Missing" where there is no such Application, "" not asked."""
    health: str
    """Argo CD's health status: Healthy, Progressing, Degraded, Suspended, Missing, Unknown; "" not asked."""
    revision: str
    """The commit that Argo CD has compared with, "" where it wasn't asked."""

    @property
    def deviates(self) -> bool:
        """Whether something else runs than git says, as far as the hub was asked."""
        return bool(self.running) and not set(self.images) <= set(self.running)
