"""What each cluster Secret of a fleet carries, computed once for all checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stacks.desired import contract
from stacks.model.fleet import Fleet


@dataclass(frozen=True)
class Contract:
    """The labels and annotations of one spoke's cluster Secret, and the names of those that Fleet sets itself."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    reserved_labels: frozenset[str]
    reserved_annotations: frozenset[str]


def contract_of(fleet: Fleet, stack: str) -> list[Contract]:
    """The contract of each spoke, in the order of the stack file. Needs what every fleet with spokes has."""
    found = []
    for spoke in fleet.spokes:
        bare = spoke.model_copy(update={"labels": {}, "annotations": {}})
        labels = contract.labels(fleet, stack, bare)
        annotations = contract.annotations(fleet, bare)
        found.append(
            Contract(
                {**spoke.labels, **labels},
                {**spoke.annotations, **annotations},
                frozenset(labels),
                # Not on every spoke, but never the stack file's to set.
                frozenset(
                    (
                        *annotations,
                        contract.STORES_ANNOTATION,
                        contract.PROTECTED_ANNOTATION,
                        contract.IDENTITY_ANNOTATION,
                    )
                ),
            )
        )
    return found
