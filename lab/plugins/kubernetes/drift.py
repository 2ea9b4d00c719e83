"""Inputs made from live objects: for `refresh`, with what drifted, and for `import`."""

from __future__ import annotations

import base64
import binascii
import copy
from typing import Any

from lab.plugins.kubernetes.objects import (
    SERVER_ANNOTATIONS,
    full_kind,
    with_secrets,
    without_read_only,
)
from lab.plugins.kubernetes.wire import Object, plain


def imported_inputs(live: Object) -> Object:
    """Return the inputs that would make `live`: it, without what the server filled in."""
    inputs = copy.deepcopy({key: value for key, value in live.items() if key != "status"})
    inputs = without_read_only(inputs)
    notes = inputs["metadata"].get("annotations")
    if notes:
        kept = {key: value for key, value in notes.items() if key not in SERVER_ANNOTATIONS}
        inputs["metadata"] = {**inputs["metadata"], "annotations": kept}
        if not kept:
            del inputs["metadata"]["annotations"]
    return with_secrets(inputs)


def refreshed_inputs(inputs: Object, state: Object, live: Object) -> Object:
    """Return the old inputs with what drifted since `state` was written.

    Compared with the last live object, not with the inputs, so that what the server rewrites
    (quantities, defaults) is no drift. What the program never set stays out.
    """
    old, before = plain(inputs), plain(state)
    fresh: Object = dict(_drifted(old, before, live))
    if full_kind(live) == "v1/Secret" and isinstance(old.get("stringData"), dict):
        fresh["stringData"] = _string_data(old["stringData"], live.get("data") or {})
    return with_secrets(fresh, inputs)


_GONE = object()


def _drifted(given: Any, before: Any, live: Any) -> Any:
    if live in (before, given):
        return given
    if isinstance(given, dict) and isinstance(live, dict):
        known = before if isinstance(before, dict) else {}
        found: Object = {
            key: _drifted(item, known.get(key, _GONE), live.get(key, _GONE))
            for key, item in given.items()
        }
        return {key: item for key, item in found.items() if item is not _GONE}
    if isinstance(given, list) and isinstance(live, list) and len(given) == len(live):
        was = before if isinstance(before, list) and len(before) == len(live) else given
        return [_drifted(*three) for three in zip(given, was, live, strict=True)]
    return live


def _string_data(given: Object, data: Object) -> Object:
    kept: Object = {}
    for key, value in given.items():
        if key in data:
            try:
                kept[key] = base64.b64decode(data[key]).decode()
            except (binascii.Error, UnicodeDecodeError):
                kept[key] = value
    return kept
