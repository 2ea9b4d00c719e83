"""The handover: has Argo CD taken over all that runs on the spokes? Pure: facts in, verdict out.

`fleet.observe` gathers the facts, `fleet.render` shows the verdict. "Good" is meant strictly, because health alone
detects no outage: with a spoke's API server down, its Applications may still be called Healthy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from fleet.facts import Application, Hub, Spoke
from stacks import Fleet
from stacks.contract import labels


@dataclass(frozen=True)
class ExpectedSet:
    """An ApplicationSet of the stack file and the names of the spokes that its selector takes."""

    name: str
    layout: str
    spokes: tuple[str, ...]


@dataclass(frozen=True)
class Expected:
    """What the stack file promises: its spokes (name → environment) and its ApplicationSets."""

    environments: Mapping[str, str]
    sets: tuple[ExpectedSet, ...]


@dataclass(frozen=True)
class Problem:
    """One reason why the handover isn't done: where (`hub`, a spoke, an Application) and what."""

    where: str
    message: str


@dataclass(frozen=True)
class SpokeVerdict:
    """One row of the status table."""

    facts: Spoke
    environment: str
    secrets_ready: int
    applications_good: int
    applications_total: int
    """Applications that exist for the spoke, plus those that should and don't."""

    @property
    def good(self) -> bool:
        """Reachable, store and secrets Ready, every Application there, Synced and Healthy."""
        return (
            self.facts.reachable
            and not self.facts.error
            and self.facts.store_ready
            and self.secrets_ready == len(self.facts.secrets)
            and self.applications_good == self.applications_total
        )


@dataclass(frozen=True)
class Verdict:
    """The whole fleet, judged."""

    hub: Hub
    sets: tuple[ExpectedSet, ...]
    spokes: tuple[SpokeVerdict, ...]
    applications: tuple[Application, ...]
    """The Applications that count: of this stack's ApplicationSets, or deployed to its spokes."""
    problems: tuple[Problem, ...]

    @property
    def good(self) -> bool:
        """Whether the handover is done."""
        return not self.problems

    @property
    def exit_code(self) -> int:
        """0 all good, 1 not (yet) good, 2 the hub can't be reached."""
        if not self.hub.reachable:
            return 2
        return 0 if self.good else 1

    @cached_property
    def counts(self) -> dict[str, tuple[int, int]]:
        """What is done of how much, by name: the line that `--wait` prints whenever it changes."""
        rows = self.spokes
        return {
            "spokes reachable": (sum(row.facts.reachable for row in rows), len(rows)),
            "stores ready": (sum(row.facts.store_ready for row in rows), len(rows)),
            "secrets synced": (
                sum(row.secrets_ready for row in rows),
                sum(len(row.facts.secrets) for row in rows),
            ),
            "applications good": (
                sum(row.applications_good for row in rows),
                sum(row.applications_total for row in rows),
            ),
        }


def expected_of(fleet: Fleet) -> Expected:
    """What must exist once the handover is done, from the stack file alone."""
    taken = {spoke.name: labels(spoke) for spoke in fleet.spokes}
    return Expected(
        environments={spoke.name: spoke.environment for spoke in fleet.spokes},
        sets=tuple(
            ExpectedSet(
                name=entry.name,
                layout=entry.layout,
                spokes=tuple(
                    name for name, have in taken.items() if entry.selector.items() <= have.items()
                ),
            )
            for entry in fleet.application_sets
        ),
    )


def judge(expected: Expected, hub: Hub, spokes: Mapping[str, Spoke]) -> Verdict:
    """The verdict over `hub` and `spokes` (by name; one that is missing counts as not reachable)."""
    set_names = {entry.name for entry in expected.sets}
    counted = tuple(
        application
        for application in hub.applications
        if application.spoke in expected.environments or application.application_set in set_names
    )
    missing = _missing_applications(expected, counted)
    problems = [*_hub_problems(expected, hub)]
    rows = []
    for name, environment in expected.environments.items():
        facts = spokes.get(name, Spoke(name, reachable=False, error="not asked"))
        own = [application for application in counted if application.spoke == name]
        row = SpokeVerdict(
            facts=facts,
            environment=environment,
            secrets_ready=sum(secret.ready for secret in facts.secrets),
            applications_good=sum(application.good for application in own),
            applications_total=len(own) + len(missing.get(name, ())),
        )
        rows.append(row)
        problems += _spoke_problems(facts)
        if hub.reachable and hub.application_sets is not None:
            problems += [Problem(name, message) for message in missing.get(name, ())]
    problems += [
        Problem(entry.name, _application_problem(entry)) for entry in counted if not entry.good
    ]
    return Verdict(hub, expected.sets, tuple(rows), counted, tuple(problems))


def _missing_applications(
    expected: Expected, have: tuple[Application, ...]
) -> dict[str, list[str]]:
    names = {
        (application.application_set, application.spoke, application.name) for application in have
    }
    served = {(application.application_set, application.spoke) for application in have}
    missing: dict[str, list[str]] = {}
    for entry in expected.sets:
        for spoke in entry.spokes:
            if entry.layout == "platform" and (entry.name, spoke, f"{spoke}-platform") not in names:
                what = f'Application "{spoke}-platform" of ApplicationSet "{entry.name}" does not exist'
            elif (entry.name, spoke) not in served:
                what = (
                    f'no Application of ApplicationSet "{entry.name}" exists; it makes one per '
                    f"apps/<service>/overlays/{expected.environments[spoke]} of the gitops-config repo"
                )
            else:
                continue
            missing.setdefault(spoke, []).append(what)
    return missing


def _hub_problems(expected: Expected, hub: Hub) -> list[Problem]:
    if not hub.reachable or hub.error:
        return [Problem("hub", hub.error or "not reachable")]
    have = hub.application_sets or {}
    problems = [
        Problem("hub", f'ApplicationSet "{entry.name}" does not exist')
        for entry in expected.sets
        if entry.name not in have
    ]
    return problems + [
        Problem("hub", f'ApplicationSet "{entry.name}": {have[entry.name]}')
        for entry in expected.sets
        if have.get(entry.name)
    ]


def _spoke_problems(spoke: Spoke) -> list[Problem]:
    if not spoke.reachable or spoke.error:
        return [Problem(spoke.name, spoke.error or "not reachable")]
    problems = []
    if not spoke.store_ready:
        problems.append(
            Problem(
                spoke.name, spoke.store_message or "ClusterSecretStore vault-backend is not Ready"
            )
        )
    failing = [secret for secret in spoke.secrets if not secret.ready]
    if failing:
        more = f" (and {len(failing) - 1} more)" if len(failing) > 1 else ""
        problems.append(
            Problem(
                spoke.name,
                f"ExternalSecret {failing[0].name}: {failing[0].message or 'not Ready yet'}{more}",
            )
        )
    return problems


def _application_problem(application: Application) -> str:
    state = f"on {application.spoke}: {application.sync}, {application.health}"
    if not application.revision:
        state += ", no revision"
    return f"{state}: {application.message}" if application.message else state
