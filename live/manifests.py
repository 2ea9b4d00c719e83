"""Install manifests of others, read from a path or an https URL at run time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import yaml

from stacks.desired.objects import CRD, KubernetesObject
from stacks.loading.yaml_speed import TextDatesLoader
from stacks.model.errors import ManifestError


def read(source: str | None) -> list[KubernetesObject]:
    """Every object of the manifest at `source`, in its order; none where a stack has no such manifest.

    Raises ManifestError where it can't be fetched or holds no Kubernetes objects.
    """
    if source is None:
        return []
    try:
        text = (
            _fetch(source)
            if source.startswith("https://")
            else Path(source).expanduser().read_text()
        )
        documents = yaml.load_all(text, Loader=TextDatesLoader)
        objects = [document for document in documents if document]
    except OSError as error:
        raise ManifestError(f"{source} can't be read: {error.strerror}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ManifestError(f"{source} can't be fetched: {error}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ManifestError(f"{source} is no YAML: {error}") from None
    if not objects or not all(map(_is_object, objects)):
        raise ManifestError(f"{source} holds something else than Kubernetes objects")
    return objects


def read_crds(source: str | None) -> list[KubernetesObject]:
    """Every CRD of the manifest at `source`, which holds nothing else; none where a stack has no such manifest.

    Raises ManifestError as `read` does, and where there is something else in it: it would never be applied.
    """
    objects = read(source)
    others = [f"{one['kind']} {one['metadata']['name']}" for one in objects if one["kind"] != CRD]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise ManifestError(
            f"{source} is to hold CRDs only, and has {others[0]}{more}; take a file of CRDs, or write `manifests:` in "
            "place of `crds:` and `chart:` where it is a whole installation"
        )
    return objects


def _is_object(one: Any) -> bool:
    metadata = one.get("metadata") if isinstance(one, dict) else None
    return isinstance(metadata, dict) and bool(one.get("kind") and metadata.get("name"))


def _fetch(url: str) -> str:
    return httpx.get(url, follow_redirects=True, timeout=30).raise_for_status().text
