"""CustomResourceDefinitions, apart from the rest of an install manifest, and the record of them that Pulumi keeps.

They are nine tenths of all that an installation consists of, and Pulumi would write them into its state twice, whole,
at every step: so they are applied to the cluster directly, and the state has a digest of each. See docs/adr/0019.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

KIND = "CustomResourceDefinition"
Object = Mapping[str, Any]


def of(objects: Iterable[Object]) -> list[Object]:
    """The CRDs among `objects`."""
    return [one for one in objects if one["kind"] == KIND]


def digests(crds: Iterable[Object]) -> dict[str, str]:
    """A digest of each CRD's content by its name, sorted: what `pulumi preview` shows of a change."""
    found = {
        one["metadata"]["name"]: hashlib.sha256(
            json.dumps(one, sort_keys=True, separators=(",", ":"), default=str).encode()
        ).hexdigest()[:16]
        for one in crds
    }
    return dict(sorted(found.items()))
