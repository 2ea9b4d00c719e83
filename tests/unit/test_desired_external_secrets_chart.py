"""Which chart of External Secrets can do what: told by itself, or by its version."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from stacks.desired import argocd_manager, external_secrets_rights, vault_identity
from stacks.desired.external_secrets_chart import Chart, known
from stacks.desired.external_secrets_values import chart_values
from stacks.model.vault import ExternalSecrets
from tests.unit.live_hub import a_fleet

OCI = "oci://charts.example.com/external-secrets"
REPO = {"chart": "external-secrets", "repo": "https://charts.example.com"}
OLD, MIDDLE, NEW = Chart(False, False), Chart(False, True), Chart(True, True)
SWITCH = "rbac:\n  serviceAccountTokenCreate: true\n"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"chart": OCI, "version": "0.19.2"}, OLD),
        ({"chart": OCI, "version": "v0.20.0"}, MIDDLE),
        ({"chart": OCI, "version": "2.4.1"}, MIDDLE),
        ({"chart": OCI, "version": "2.5.0"}, NEW),
        ({"chart": OCI, "version": "10.0.0-rc.1"}, NEW),
        ({"chart": f"{OCI}:2.13.0"}, NEW),
        ({"chart": "https://charts.example.com/external-secrets-2.5.0.tgz"}, NEW),
        ({**REPO, "version": "2.5.0"}, NEW),
        # What nobody knows gets the rights that fit all.
        ({**REPO, "version": "2.x"}, MIDDLE),
        ({**REPO, "version": ">=2.5"}, MIDDLE),
        *(({**REPO, "version": v}, MIDDLE) for v in ("<2.5.0", ">=2.5.0", "^2.5.0", "2.5.0 - 3")),
        ({"chart": f"oci://charts.example.com/{'x' * 5000}"}, MIDDLE),
        (REPO, MIDDLE),
        ({"chart": "https://10.0.12.5/external-secrets.tgz"}, MIDDLE),
    ],
)
def test_by_its_version(settings: dict[str, Any], expected: Chart) -> None:
    assert known(ExternalSecrets(**settings)) == expected


def _folder(path: Path, version: str, values: str) -> Path:
    path.mkdir()
    (path / "Chart.yaml").write_text(
        f"apiVersion: v2\nname: external-secrets\nversion: {version}\n"
    )
    (path / "values.yaml").write_text(values)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("version", "values", "expected"),
    [
        ('"0.19.2"', "rbac: {}\n", OLD),
        ("1.3.2", "rbac: {}\n", MIDDLE),
        ("2.5.0", SWITCH, NEW),
        ("9.9.9-ours", "rbac: {}\n", MIDDLE),
    ],
)
def test_by_what_is_in_it(
    tmp_path: Path, packed: bool, version: str, values: str, expected: Chart
) -> None:
    chart = _folder(tmp_path / "external-secrets", version, values)
    if packed:
        inner = _folder(chart / "charts", "1.0.0", SWITCH)
        with tarfile.open(tmp_path / "chart-7.0.0.tgz", "w:gz") as archive:
            archive.add(inner, "external-secrets/charts/other")
            archive.add(chart / "Chart.yaml", "external-secrets/Chart.yaml")
            archive.add(chart / "values.yaml", "external-secrets/values.yaml")
        chart = tmp_path / "chart-7.0.0.tgz"
    assert known(ExternalSecrets(chart=str(chart))) == expected


def test_a_chart_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    chart = tmp_path / "chart.tgz"
    for moment, (values, expected) in enumerate(((SWITCH, NEW), ("", MIDDLE))):
        with tarfile.open(chart, "w:gz") as archive:
            for name, text in (("Chart.yaml", "version: 2.5.0\n"), ("values.yaml", values)):
                member = tarfile.TarInfo(f"external-secrets/{name}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        os.utime(chart, (moment, moment))
        assert known(ExternalSecrets(chart=str(chart))) == expected


@pytest.mark.parametrize("content", [b"no archive", b"\x1f\x8b broken", b""])
def test_one_that_is_none_is_the_plugin_s_to_refuse(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "chart.tgz").write_bytes(content)
    assert known(ExternalSecrets(chart=str(tmp_path / "chart.tgz"))) == MIDDLE
    (tmp_path / "empty").mkdir()
    assert known(ExternalSecrets(chart=str(tmp_path / "empty"))) == MIDDLE


NEWEST = {"chart": OCI, "version": "2.13.0"}


def _rights(**settings: Any) -> dict[tuple[str, str], Any]:
    fleet = a_fleet(externalSecrets=settings)
    found = external_secrets_rights.objects(fleet, vault_identity.of_spoke(fleet, fleet.spokes[0]))
    return {(one["kind"], one["metadata"]["name"]): one.get("rules") for one in found}


def test_a_new_chart_makes_its_own_roles_but_for_tokens() -> None:
    assert chart_values(a_fleet(externalSecrets=NEWEST))["rbac"] == {
        "create": True,
        "serviceAccountTokenCreate": False,
        "aggregateToEdit": False,
        "aggregateToAdmin": False,
    }
    rights = _rights(**NEWEST)
    assert rights.keys() == {
        ("Role", "fleet-external-secrets-token"),
        ("RoleBinding", "fleet-external-secrets-token"),
        ("ClusterRole", "fleet-external-secrets-edit"),
    }
    (token,) = rights["Role", "fleet-external-secrets-token"]
    assert token["resources"] == ["serviceaccounts/token"]
    assert token["resourceNames"] == ["external-secrets"]


@pytest.mark.parametrize(
    ("rbac", "ours"),
    [({"create": False}, True), ({"serviceAccountTokenCreate": True}, False)],
)
def test_the_stack_file_s_values_decide(rbac: dict[str, bool], ours: bool) -> None:
    rights = _rights(**NEWEST, values={"rbac": rbac})
    assert (("ClusterRole", "fleet-external-secrets") in rights) == ours
    assert bool(rights) == ours


@pytest.mark.parametrize(
    ("version", "values", "may"),
    [
        ("0.19.2", {}, False),
        ("0.20.1", {}, True),
        ("0.20.1", {"processClusterExternalSecret": False}, False),
    ],
)
def test_it_writes_namespaces_where_it_must(version: str, values: Any, may: bool) -> None:
    rules = _rights(chart=OCI, version=version, values=values)[
        "ClusterRole", "fleet-external-secrets"
    ]
    verbs = {verb for rule in rules if "namespaces" in rule["resources"] for verb in rule["verbs"]}
    assert ("patch" in verbs) == may


@pytest.mark.parametrize(
    "given", [None, "yes", ["x"], {}, {"enabled": False}, {"enabled": True, "resources": [3, {}]}]
)
def test_targets_of_any_form_are_no_end(given: Any) -> None:
    rules = _rights(chart=OCI, version="1.3.2", values={"genericTargets": given})
    assert ("ClusterRole", "fleet-external-secrets") in rules


def test_argo_cd_may_hand_out_what_is_made_and_no_more() -> None:
    for settings, controller, others in (
        (
            {"chart": OCI, "version": "1.3.2"},
            "fleet-external-secrets",
            "fleet-external-secrets-token",
        ),
        (NEWEST, "external-secrets-controller", "external-secrets-leaderelection"),
    ):
        fleet = a_fleet(externalSecrets={**settings, "delivery": "argocd"})
        rules = argocd_manager.rules(fleet, fleet.spokes[0])
        named = [rule for rule in rules if {"bind", "escalate"} & set(rule["verbs"])]
        assert all(rule.get("resourceNames") for rule in named)
        may = {
            (resource, verb): set(rule["resourceNames"])
            for rule in named
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        assert controller in may["clusterroles", "bind"] & may["clusterroles", "escalate"]
        assert others in may["roles", "bind"] & may["roles", "escalate"]
    assert "fleet-external-secrets" not in may["clusterroles", "bind"], "the chart has its own"
