"""Cells for the tests of what shows them: one as it should be, a small matrix with every mark, and a large one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fleet.releases.cell import Cell

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
IMAGE = "registry.example.com/payment-service"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
BIDI = "evil\u202egnp.exe"
_TEAMS = ("payments", "identity", "logistics", "search", "")


def a_cell(**changes: object) -> Cell:
    """A cell with nothing to say about it."""
    version = str(changes.get("version", "v2.3.0"))
    service = str(changes.get("service", "payment-service"))
    image = f"registry.example.com/{service}:{version}"
    good = Cell(
        service="payment-service",
        environment="staging",
        cluster="staging-1",
        team="payments",
        repo="https://git.example.com/acme/gitops-config.git",
        images=(image,),
        version="v2.3.0",
        commit="0123456789abcdef0123456789abcdef01234567",
        at=NOW - timedelta(days=3, hours=2),
        by="Ada Lovelace",
        source="",
        behind=None,
        held=(),
        running=(image,),
        sync="Synced",
        health="Healthy",
        revision="89abcdef0123456789abcdef0123456789abcdef",
    )
    return replace(good, **changes)  # type: ignore[arg-type]


def every_mark() -> list[Cell]:
    """A row for each mark."""
    odd: dict[str, dict[str, object]] = {
        "degraded": {"health": "Degraded"},
        "missing": {"sync": "Missing", "health": "", "running": ()},
        "outofsync": {"sync": "OutOfSync"},
        "deviates": {"running": (f"{IMAGE}:v1.9.9",)},
        "progressing": {"health": "Progressing"},
        "suspended": {"health": "Suspended"},
        "unknown": {"sync": "Unknown"},
        "held": {"held": (IMAGE,)},
        "differs": {"version": "v2.2.0"},
        "behind": {"behind": 3},
        "fine": {},
    }
    cells = []
    for name, changes in odd.items():
        cells.append(a_cell(service=name, version="v2.3.0"))
        production = {"environment": "production", "source": "staging", "behind": 0}
        for number in range(1, 4):
            more = changes if number == 1 else {}
            one = {**production, **more, "service": name, "cluster": f"prod-{number}"}
            cells.append(a_cell(**one))
    return cells


def many(services: int = 200, clusters: int = 53) -> list[Cell]:
    """As a large company has it: most is well, something always isn't."""
    cells = []
    for number in range(services):
        name = f"{('billing', 'catalogue', 'checkout', 'search', 'shipping')[number % 5]}-service-{number:03}"
        for cluster in range(clusters):
            environment, source = (
                ("dev", "") if cluster < 3 else ("staging", "dev") if cluster < 8 else ("production", "staging")
            )  # fmt: skip
            minor = 40 - ("dev", "staging", "production").index(environment)
            dice = (number * 7919 + cluster * 104729 + number * cluster * 31) % 1000
            changes: dict[str, object] = {}
            if dice < 8:
                changes = {"health": "Degraded", "sync": "Synced"}
            elif dice < 20:
                changes = {"sync": "OutOfSync", "running": (f"registry.example.com/{name}:v3.1.0",)}
            elif dice < 35:
                changes = {"health": "Progressing"}
            elif dice < 38:
                changes = {"sync": "Missing", "health": "", "running": ()}
            elif dice < 45:
                changes = {"held": (f"registry.example.com/{name}",)}
            elif dice < 50:
                changes = {"health": "Suspended"}
            elif dice < 53:
                changes = {"sync": "Unknown", "health": "Unknown"}
            elif dice < 70:
                minor -= 2
            behind = None if not source else (number % 3 == 0) * (1 + number % 4)
            cells.append(
                a_cell(
                    **{
                        "service": name,
                        "team": _TEAMS[number % 5],
                        "environment": environment,
                        "source": source,
                        "behind": behind,
                        "cluster": f"{environment}-{('eu', 'us', 'ap')[cluster % 3]}-{cluster + 1}",
                        "version": f"v2.{minor}.{number % 7}",
                        "by": ("Ada Lovelace", "Grace Hopper", "Łukasz Żak")[dice % 3],
                        "at": NOW - timedelta(hours=1 + dice * 3),
                        **changes,
                    }
                )
            )
    return cells
