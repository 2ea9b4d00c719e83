"""CustomResourceDefinitions, apart from the rest of an installation, and the record of them that Pulumi keeps.

They are nine tenths of all that an installation consists of, and Pulumi would write them into its state twice, whole,
at every step: so they are applied to the cluster directly, and the state has a digest of each. See docs/adr/0019.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from stacks.desired.objects import CRD, KubernetesObject


def of(objects: Iterable[KubernetesObject]) -> list[KubernetesObject]:
    """The CRDs among `objects`."""
    return [one for one in objects if one["kind"] == CRD]


@dataclass(frozen=True)
class Manifest:
    """An install manifest, whose CRDs are looked through once, however many clusters they go to."""

    objects: tuple[KubernetesObject, ...] = ()

    @cached_property
    def crds(self) -> list[KubernetesObject]:
        """The CRDs in it."""
        return of(self.objects)

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """As `digests` of its CRDs."""
        return digests(self.crds)


def digests(crds: Iterable[KubernetesObject]) -> dict[str, str]:
    """A digest of each CRD's content by its name, sorted: what `pulumi preview` shows of a change."""
    found = {one["metadata"]["name"]: _digest(one) for one in crds}
    return dict(sorted(found.items()))


def _digest(crd: KubernetesObject) -> str:
    text = json.dumps(crd, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


NO_MANIFEST = Manifest()
"""Of a stack that has none."""
