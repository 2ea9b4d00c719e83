"""Showing a verdict: tables for people, plain wide lines for pipes, JSON for programs.

The JSON schema is stable: keys are only added, and `schema` counts up if one ever changes its meaning.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from fleet.facts import Application, Readiness
from fleet.handover import SpokeVerdict, Verdict, clock
from fleet.options import counted

PIPE_WIDTH = 500
"""Columns of output that is piped: wide enough that no line wraps, so that grep finds whole rows."""
FEW_APPLICATIONS = 30
REVISION_LENGTH = 8
JSON_SCHEMA = 1


def console(*, stderr: bool = False, markup: bool = False) -> Console:
    """A console whose output is coloured and fitted on a terminal, and plain and wide in a pipe.

    Without `markup`, square brackets in names and messages stand for themselves.
    """
    stream = sys.stderr if stderr else sys.stdout
    piped = not stream.isatty()
    return Console(
        file=stream,
        width=PIPE_WIDTH if piped else None,
        no_color=piped or None,
        highlight=False,
        markup=markup,
    )


def table(out: Console, *columns: str) -> Table:
    """An empty table in the house's look; in a pipe its rows never wrap."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, no_wrap=not out.is_terminal, overflow="fold")
    return made


def heading(text: str) -> Text:
    """The line above a table; rich's own table titles wrap at the width of the table."""
    return Text(text, style="bold")


def as_tables(verdict: Verdict, out: Console, *, every_application: bool = False) -> RenderableType:
    """The whole verdict. Applications: all when there are few or `every_application`, else those not good."""
    parts: list[RenderableType] = [_hub_line(verdict)]
    if verdict.spokes:
        parts += [Text(), _spoke_table(verdict, out)]
    shown: Sequence[Application] = verdict.applications
    title = "Applications"
    if len(shown) > FEW_APPLICATIONS and not every_application:
        shown = [application for application in shown if not application.good]
        title = f"Applications not good ({len(shown)} of {len(verdict.applications)}; --all shows every one)"
    if shown:
        parts += [Text(), heading(title), _application_table(shown, out)]
    parts += [Text(), summary(verdict)]
    return Group(*parts)


def as_progress(verdict: Verdict, out: Console) -> RenderableType:
    """What is redrawn while waiting: the counts, which must fit on any terminal, and the spokes below them."""
    return Group(Text(counts_line(verdict)), Text(), _spoke_table(verdict, out))


def summary(verdict: Verdict) -> Text:
    """One line when all is good, else one line per problem."""
    if verdict.good:
        return Text(f"All good: {_all_good(verdict)}.", style="green")
    lines = [f"  {one.where}: {one.message}" for one in verdict.findings]
    return Text("\n".join([f"Not good yet ({len(lines)}):", *lines]), style="yellow")


def _all_good(verdict: Verdict) -> str:
    if not verdict.spokes:
        return "Argo CD is on the hub; this stack has no spokes"
    left_alone = sum(bool(row.expected.quarantine) for row in verdict.spokes)
    aside = f" ({left_alone} in quarantine left aside)" if left_alone else ""
    applications = sum(row.applications_good for row in verdict.spokes)
    return (
        f"{counted(len(verdict.spokes), 'spoke')}{aside}, "
        f"{counted(applications, 'Application')} Synced and Healthy"
    )


def counts_line(verdict: Verdict) -> str:
    """The counts in one line, e.g. `hub reachable; spokes reachable 3/3; …; applications good 5/12`."""
    hub = "hub reachable" if verdict.hub.reachable else "hub NOT reachable"
    return "; ".join(
        [hub, *(f"{name} {done}/{total}" for name, (done, total) in verdict.counts.items())]
    )


def as_json(verdict: Verdict, stack: str, now: datetime | None = None) -> str:
    """The verdict for programs; `fleet status --help` documents the keys."""
    hub = verdict.hub
    sets = hub.application_sets or {}
    document: dict[str, Any] = {
        "schema": JSON_SCHEMA,
        "stack": stack,
        "checkedAt": clock(now or datetime.now(UTC)),
        "good": verdict.good,
        "hub": {
            "context": hub.context,
            "reachable": hub.reachable,
            "version": hub.version,
            "error": hub.error,
            "stores": _readiness(hub.stores),
            "credentials": _readiness(hub.credentials),
        },
        "applicationSets": [
            {"name": entry.name, "present": entry.name in sets, "error": sets.get(entry.name, "")}
            for entry in verdict.sets
        ],
        "spokes": [
            {
                "name": row.facts.name,
                "environment": row.expected.environment,
                "quarantine": row.expected.quarantine,
                "good": row.good,
                "asked": row.facts.asked,
                "reachable": row.facts.reachable,
                "version": row.facts.version,
                "error": row.facts.error,
                "argocd": _argocd(row, verdict),
                "store": _one_store(row),
                "stores": _readiness(row.facts.stores),
                "secrets": _readiness(row.facts.secrets),
                "applications": {"good": row.applications_good, "total": row.applications_total},
            }
            for row in verdict.spokes
        ],
        "applications": [
            {
                "name": entry.name,
                "spoke": entry.spoke,
                "applicationSet": entry.application_set,
                "good": entry.good,
                "sync": entry.sync,
                "health": entry.health,
                "revision": entry.revision,
                "message": entry.message,
                "reconciledAt": _moment(entry.reconciled),
            }
            for entry in verdict.applications
        ],
        "problems": [{"where": one.where, "message": one.message} for one in verdict.findings],
    }
    return json.dumps(document, indent=2)


def _readiness(found: Sequence[Readiness]) -> list[dict[str, Any]]:
    return [{"name": one.name, "ready": one.ready, "message": one.message} for one in found]


def _argocd(row: SpokeVerdict, verdict: Verdict) -> dict[str, Any]:
    found = row.registration
    return {
        "registered": None if verdict.hub.registrations is None else found is not None,
        "tried": bool(found and found.tried),
        "error": found.trouble if found else "",
        "changedAt": _moment(found.changed) if found else None,
        "reconciledAt": _moment(row.reconciled),
    }


def _moment(found: datetime | None) -> str | None:
    return clock(found) if found else None


def _one_store(row: SpokeVerdict) -> dict[str, Any]:
    """All stores in one, from the time when a spoke had only one."""
    ready = row.facts.reachable and row.stores_ready == row.stores_total
    failing = [store for store in row.facts.stores if not store.ready]
    return {
        "ready": ready,
        "message": f"ClusterSecretStore {failing[0].trouble}" if failing else "",
    }


def _hub_line(verdict: Verdict) -> Text:
    hub = verdict.hub
    if not hub.reachable:
        return Text(f"Hub {hub.context}: not reachable: {hub.error}", style="red")
    parts = [f"Hub {hub.context}: reachable", hub.version]
    if verdict.sets:
        present = sum(entry.name in (hub.application_sets or {}) for entry in verdict.sets)
        parts.append(f"ApplicationSets {present}/{len(verdict.sets)}")
    for name, found in (("stores", hub.stores), ("credentials", hub.credentials)):
        if found:
            parts.append(f"{name} {sum(one.ready for one in found)}/{len(found)}")
    return Text(", ".join(parts))


def _spoke_table(verdict: Verdict, out: Console) -> Table:
    made = table(
        out, "Spoke", "Environment", "Reachable", "Argo CD", "Store", "Secrets", "Applications"
    )
    for row in verdict.spokes:
        known = row.facts.reachable
        made.add_row(
            row.facts.name,
            row.expected.environment,
            _reachable(row),
            _registered(row, verdict),
            _stores(row) if known else Text("?"),
            _share(row.secrets_ready, len(row.facts.secrets)) if known else Text("?"),
            _share(row.applications_good, row.applications_total),
        )
    return made


def _reachable(row: SpokeVerdict) -> Text:
    facts = row.facts
    shown = _mark(facts.reachable, "yes", "NO") if facts.asked else Text("not asked")
    if row.expected.quarantine:
        shown.append(f", quarantined: {row.expected.quarantine}", style="yellow")
    return shown


def _registered(row: SpokeVerdict, verdict: Verdict) -> Text:
    """What the spoke says to Argo CD's credential."""
    found = row.registration
    if not found:
        return Text("?") if verdict.hub.registrations is None else _mark(False, "", "unknown to it")
    return _mark(not found.trouble, "let in", "REFUSED") if found.tried else Text("not tried")


def _stores(row: SpokeVerdict) -> Text:
    if row.stores_total > 1:
        return _share(row.stores_ready, row.stores_total)
    return _mark(row.stores_ready == row.stores_total, "Ready", "not Ready")


def _application_table(applications: Sequence[Application], out: Console) -> Table:
    made = table(out, "Application", "Spoke", "Sync", "Health", "Revision")
    for entry in sorted(applications, key=lambda entry: (entry.spoke, entry.name)):
        made.add_row(
            entry.name,
            entry.spoke,
            _mark(entry.sync == "Synced", entry.sync, entry.sync),
            _mark(entry.health == "Healthy", entry.health, entry.health),
            entry.revision[:REVISION_LENGTH] or Text("none", style="yellow"),
        )
    return made


def _mark(good: bool, yes: str, no: str) -> Text:
    return Text(yes, style="green") if good else Text(no, style="yellow")


def _share(done: int, total: int) -> Text:
    return Text(f"{done}/{total}", style="green" if done == total else "yellow")
