"""What every auth method has: a mount in the namespace, with a description and tuning."""

from __future__ import annotations

from typing import Any

from lab.plugins.vault.client import Vault
from lab.plugins.vault.schema import Field, Plain, seconds, snake

TUNE = Field(kind="tune", computed=True, sent=False)
"""The `tune` argument: TTLs are durations such as "1h"; what it leaves out is Vault's choice."""


def enable(vault: Vault, path: str, kind: str, values: Plain) -> None:
    """Mount an auth method; Vault refuses where the path is in use."""
    body = {
        "type": kind,
        "description": values.get("description") or "",
        "local": bool(values.get("local")),
    }
    vault.write(f"sys/auth/{path}", body)


def find(vault: Vault, path: str) -> dict[str, Any] | None:
    """Return the mount at `path` as Vault lists it, or None."""
    mounts = vault.read("sys/auth") or {}
    found = mounts.get(f"{path}/")
    return found if isinstance(found, dict) else None


def tune(vault: Vault, path: str, old: Plain, values: Plain) -> None:
    """Write description and tuning where they differ from `old`."""
    body: dict[str, Any] = {}
    if (old.get("description") or "") != (values.get("description") or ""):
        body["description"] = values.get("description") or ""
    wanted = values.get("tune") or {}
    if wanted and not TUNE.same(old.get("tune"), wanted):
        body |= {snake(name): value for name, value in wanted.items()}
    if body:
        vault.write(f"sys/auth/{path}/tune", body)


def tuning(vault: Vault, path: str, known: Plain) -> Plain | None:
    """Return the tuning of the mount, limited to what the program sets (Vault fills in the rest).

    TTLs come back as seconds with a unit, or as the program wrote them where they are equal.
    """
    wanted = known.get("tune")
    if not isinstance(wanted, dict):
        return None
    actual = vault.read(f"sys/auth/{path}/tune") or {}
    return {
        name: _as_written(name, value, actual.get(snake(name))) for name, value in wanted.items()
    }


def _as_written(name: str, written: object, actual: object) -> object:
    if not name.endswith("Ttl"):
        return actual
    return written if seconds(written) == seconds(actual) else f"{actual}s"


def disable(vault: Vault, path: str) -> None:
    """Unmount the auth method, with its roles and the tokens it gave out."""
    vault.delete(f"sys/auth/{path}")
