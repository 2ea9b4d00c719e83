"""Who wrote an object, told by its field managers."""

from __future__ import annotations

from typing import Any

import pytest

from live import field_managers


def _metadata(*entries: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "managedFields": [
            {"manager": manager, "time": time, "fieldsV1": {field: {}}}
            for manager, time, field in entries
        ]
    }


@pytest.mark.parametrize(
    ("manager", "applied", "wrote"),
    [
        ("pulumi-kubernetes-1a2b3c4d", True, True),
        ("pulumi-kubernetes", True, True),
        ("pulumi-resource-kubernetes", False, True),
        ("pulumi-kubernetes.exe", False, True),
        ("pulumi-kubernetes-operator", False, False),
        ("fleet-crds", False, False),
        ("kubectl", False, False),
    ],
)
def test_pulumi(manager: str, applied: bool, wrote: bool) -> None:
    assert field_managers.applied_by_pulumi(manager) is applied
    assert field_managers.written_by_pulumi(_metadata((manager, "1", "f:spec"))) is wrote


def test_the_maker_is_the_first_and_a_spec_is_the_last_s() -> None:
    metadata = _metadata(
        ("helm", "2026-02", "f:spec"),
        ("kubectl-create", "2026-01", "f:spec"),
        ("kube-controller-manager", "2026-03", "f:status"),
    )
    assert field_managers.first(metadata) == "kubectl-create"
    assert field_managers.of_the_spec(metadata) == ["helm"]


def test_no_account() -> None:
    assert field_managers.first({}) == ""
    assert field_managers.of_the_spec({}) == [field_managers.UNKNOWN]
    assert not field_managers.written_by_pulumi({"managedFields": None})
