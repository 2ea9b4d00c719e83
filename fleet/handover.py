"""The handover: has Argo CD taken over all that runs on the spokes? Pure: facts in, verdict out.

`fleet.expected` says what must be there, `fleet.observe` gathers the facts, `fleet.render` shows the verdict. "Good" is
meant strictly, because health alone detects no outage: with a spoke's API server down, its Applications may still be
called Healthy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from fleet.expected import Expected, ExpectedSet, ExpectedSpoke
from fleet.facts import Application, Hub, Readiness, Registration, Spoke

# A busy controller may be late; one that is this late compares nothing any more.
LATE = 3
NEVER_LATE_BEFORE = timedelta(minutes=10)


@dataclass(frozen=True)
class Finding:
    """One reason why the handover isn't done: where (`hub`, a spoke, an Application) and what."""

    where: str
    message: str


@dataclass(frozen=True)
class SpokeVerdict:
    """One row of the status table."""

    facts: Spoke
    expected: ExpectedSpoke
    stores_total: int
    applications_good: int
    applications_total: int
    """Applications that exist for the spoke, plus those that should and don't."""
    registration: Registration | None = None
    """How Argo CD stands to the spoke; None where it has no cluster Secret, or that could not be read."""
    reconciled: datetime | None = None
    """When Argo CD last compared any of its Applications with their commit."""

    @property
    def stores_ready(self) -> int:
        """How many of the spoke's stores are Ready."""
        return sum(store.ready for store in self.facts.stores)

    @property
    def secrets_ready(self) -> int:
        """How many of the spoke's ExternalSecrets are Ready."""
        return sum(secret.ready for secret in self.facts.secrets)

    @property
    def good(self) -> bool:
        """Every Application there, Synced and Healthy; and, where it is asked, reachable with all it reports Ready."""
        applications = self.applications_good == self.applications_total
        locked_out = self.registration is not None and bool(self.registration.trouble)
        return applications and not locked_out and (not self.facts.asked or self._serves)

    @property
    def _serves(self) -> bool:
        facts = self.facts
        return (
            facts.reachable
            and not facts.error
            and self.stores_ready == self.stores_total
            and self.secrets_ready == len(facts.secrets)
        )


@dataclass(frozen=True)
class Verdict:
    """The whole fleet, judged."""

    hub: Hub
    sets: tuple[ExpectedSet, ...]
    spokes: tuple[SpokeVerdict, ...]
    applications: tuple[Application, ...]
    """The Applications that count: of this stack's ApplicationSets, or deployed to its spokes."""
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Whether the handover is done, spokes in quarantine aside."""
        return not self.findings

    @property
    def exit_code(self) -> int:
        """0 all good, 1 not (yet) good, 2 the hub can't be reached."""
        if not self.hub.reachable:
            return 2
        return 0 if self.good else 1

    @cached_property
    def counts(self) -> dict[str, tuple[int, int]]:
        """What is done of how much, by name: the line that `--wait` prints whenever it changes."""
        rows = [row for row in self.spokes if not row.expected.quarantine]
        asked = [row for row in rows if row.facts.asked]
        return {
            "spokes reachable": (sum(row.facts.reachable for row in asked), len(asked)),
            "stores ready": (
                sum(row.stores_ready for row in asked),
                sum(row.stores_total for row in asked),
            ),
            "secrets synced": (
                sum(row.secrets_ready for row in asked),
                sum(len(row.facts.secrets) for row in asked),
            ),
            "applications good": (
                sum(row.applications_good for row in rows),
                sum(row.applications_total for row in rows),
            ),
        }


def judge(
    expected: Expected, hub: Hub, spokes: Mapping[str, Spoke], now: datetime | None = None
) -> Verdict:
    """The verdict over `hub` and `spokes`, which has the facts of every expected spoke by its name."""
    now = now or datetime.now(UTC)
    ours = {spoke.name for spoke in expected.spokes}
    set_names = {entry.name for entry in expected.sets}
    counted = tuple(
        application
        for application in hub.applications
        if application.spoke in ours or application.application_set in set_names
    )
    missing = _missing_applications(expected, counted)
    findings = [*_hub_findings(expected, hub)]
    rows = []
    for entry in expected.spokes:
        facts = spokes[entry.name]
        own = [application for application in counted if application.spoke == entry.name]
        lacking = missing.get(entry.name, ())
        row = SpokeVerdict(
            facts=facts,
            expected=entry,
            stores_total=len(expected.stores),
            applications_good=sum(application.good for application in own),
            applications_total=len(own) + len(lacking),
            registration=(hub.registrations or {}).get(entry.name),
            reconciled=max((one.reconciled for one in own if one.reconciled), default=None),
        )
        rows.append(row)
        if entry.quarantine:
            continue
        findings += _spoke_findings(facts)
        findings += _by_argocd(row, hub, now)
        if hub.reachable and hub.application_sets is not None:
            findings += [Finding(entry.name, message) for message in lacking]
    left_alone = {spoke.name for spoke in expected.spokes if spoke.quarantine}
    findings += [
        Finding(entry.name, _application_finding(entry))
        for entry in counted
        if not entry.good and entry.spoke not in left_alone
    ]
    return Verdict(hub, expected.sets, tuple(rows), counted, tuple(findings))


def _missing_applications(
    expected: Expected, have: tuple[Application, ...]
) -> dict[str, list[str]]:
    environments = {spoke.name: spoke.environment for spoke in expected.spokes}
    names = {
        (application.application_set, application.spoke, application.name) for application in have
    }
    served = {(application.application_set, application.spoke) for application in have}
    missing: dict[str, list[str]] = {}
    for entry in expected.sets:
        for spoke, wanted in entry.applications.items():
            if wanted and (entry.name, spoke, wanted) not in names:
                what = f'Application "{wanted}" of ApplicationSet "{entry.name}" does not exist'
            elif not any((name, spoke) in served for name in {entry.name, *entry.or_of}):
                others = ", nor of a team's," if entry.or_of else ""
                what = (
                    f'no Application of ApplicationSet "{entry.name}"{others} exists; it makes one per '
                    f"apps/<service>/overlays/{environments[spoke]} of the gitops-config repo"
                )
            else:
                continue
            missing.setdefault(spoke, []).append(what)
    return missing


def _hub_findings(expected: Expected, hub: Hub) -> list[Finding]:
    if not hub.reachable or hub.error:
        return [Finding("hub", hub.error or "not reachable")]
    have = hub.application_sets or {}
    absent = [
        Finding("hub", f'ApplicationSet "{entry.name}" does not exist')
        for entry in expected.sets
        if entry.name not in have
    ]
    failing = [
        Finding("hub", f'ApplicationSet "{entry.name}": {have[entry.name]}')
        for entry in expected.sets
        if have.get(entry.name)
    ]
    return absent + failing + _not_ready("hub", hub.stores, hub.credentials)


def _spoke_findings(spoke: Spoke) -> list[Finding]:
    if not spoke.asked:
        return []
    if not spoke.reachable or spoke.error:
        return [Finding(spoke.name, spoke.error or "not reachable")]
    return _not_ready(spoke.name, spoke.stores, spoke.secrets)


def _by_argocd(row: SpokeVerdict, hub: Hub, now: datetime) -> list[Finding]:
    """What keeps Argo CD from the spoke, or from knowing how it is now."""
    where = row.facts.name
    if hub.registrations is None or hub.error:
        return []
    if not row.registration:
        return [Finding(where, "Argo CD has no cluster Secret for it")]
    if trouble := row.registration.trouble:
        return [Finding(where, f"it refuses Argo CD's credential: {trouble}; see docs/rotate.md")]
    changed, reconciled = row.registration.changed, row.reconciled
    if not reconciled:
        return []  # Whatever is Synced has been compared; the rest is told by its Application.
    # Where the credential has been tried, Argo CD has a good one; of the others its next comparison will tell.
    if not row.registration.tried and changed and reconciled < changed:
        return [
            Finding(
                where,
                f"Argo CD has compared nothing there since its cluster Secret changed at {clock(changed)}; "
                "`argocd app get --refresh` has it do so at once",
            )
        ]
    limit = max(NEVER_LATE_BEFORE, LATE * timedelta(seconds=hub.reconciles_within))
    if hub.reconciles_within and now - reconciled > limit:
        return [
            Finding(
                where,
                f"Argo CD last compared it with its commit at {clock(reconciled)}, and does so every "
                f"{hub.reconciles_within:.0f} s; look at its application controller",
            )
        ]
    return []


def clock(moment: datetime) -> str:
    """A point in time as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _not_ready(
    where: str, stores: Sequence[Readiness], secrets: Sequence[Readiness]
) -> list[Finding]:
    """A problem for each store that isn't Ready; one for all ExternalSecrets, as they often fail for one reason."""
    findings = [
        Finding(where, f"ClusterSecretStore {store.trouble}") for store in stores if not store.ready
    ]
    failing = [secret for secret in secrets if not secret.ready]
    if failing:
        more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
        findings.append(Finding(where, f"ExternalSecret {failing[0].trouble}{more}"))
    return findings


def _application_finding(application: Application) -> str:
    state = f"on {application.spoke}: {application.sync}, {application.health}"
    if not application.revision:
        state += ", no revision"
    return f"{state}: {application.message}" if application.message else state
