"""The `images:` of a kustomization: read, and given other tags or digests with every other byte as it was."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

_NAME = r"(?P<name>[a-z0-9]([\w.-]*(:[0-9]+(?=/))?)(/[a-z0-9][\w.-]*)*)"
_REF = re.compile(rf"{_NAME}(:(?P<tag>\w[\w.-]{{0,127}}))?(@(?P<digest>sha256:[0-9a-f]{{64}}))?")
# Any reader of YAML takes these for text; whatever else gets quotes.
_PLAIN = re.compile(r"(?!(y|n|yes|no|on|off|true|false|null)$)[a-z][\w.-]*(:[0-9a-f]{64})?", re.I)
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+([.-][\w.-]*)?")


class ImagesError(Exception):
    """A kustomization whose images can't be read or changed; the message says why, and what to write instead."""


@dataclass(frozen=True)
class Image:
    """An image by the name that it is pulled by; `tag` or `digest` may be "", not both.

    https://github.com/distribution/reference has the grammar.
    """

    name: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, ref: str) -> Image:
        """`registry/name:tag`, `…@sha256:…`, or both. Raises ImagesError."""
        found = _REF.fullmatch(ref)
        if not found or not (found["tag"] or found["digest"]):
            raise ImagesError(
                f'"{ref}" is no image with a tag or digest: write registry.example.com/name:v1.2.3'
            )
        return cls(found["name"], found["tag"] or "", found["digest"] or "")

    @property
    def version(self) -> str:
        """What moves: `v1.2.3`, `sha256:…`, or `v1.2.3@sha256:…`."""
        return "@".join(filter(None, (self.tag, self.digest)))

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"


def read(content: bytes) -> tuple[Image, ...]:
    """The images that a kustomization sets a tag or digest of, in its order. Raises ImagesError."""
    found = []
    for one in _entries(_documents(content)):
        image = _image(one)
        if image.tag or image.digest:
            if not _REF.fullmatch(str(image)):
                raise ImagesError(f"{str(image)!r} is no image by its grammar")
            found.append(image)
    return tuple(found)


def changed(content: bytes, wanted: Sequence[Image]) -> bytes:
    """The kustomization with these images' versions, each under the name it has there already.

    An entry that has a tag keeps having a tag, one with a digest a digest. Nothing else changes: comments, order,
    indents, quotes, line ends. Raises ImagesError where that can't be done, and for an image that it doesn't set.
    """
    text = _text(content)
    before = _documents(content)
    after = copy.deepcopy(before)
    edits: list[tuple[int, int, str]] = []
    for image in wanted:
        its = [
            (number, place)
            for number, document in enumerate(after)
            for place, one in enumerate(_list(document))
            if isinstance(one, dict) and _image(one).name == image.name
        ]
        if len(its) != 1:
            names = sorted({str(_image(one)) for one in _entries(before)})
            raise ImagesError(
                f'`images:` has {"two entries" if its else "no entry"} for "{image.name}"'
                f"; it has: {', '.join(names) or 'none'}"
            )
        (number, place) = its[0]
        for key, value in _values(_list(after[number])[place], image):
            if str(_list(after[number])[place][key]) != value:
                edits.append((*_span(text, number, place, key), value))
            _list(after[number])[place][key] = value
    for start, end, value in sorted(edits, reverse=True):
        text = text[:start] + _like(text[start:end], value) + text[end:]
    result = text.encode()
    # By an anchor, a merge key or a tag, what is written there may be read elsewhere too.
    try:
        same = _documents(result) == _documents(yaml.safe_dump_all(after).encode())
    except RecursionError:
        same = False
    if not same:
        raise ImagesError(
            "an anchor or alias shares an image's version with something else; write it out where it is used"
        )
    return result


def _values(entry: Mapping[str, Any], image: Image) -> Iterator[tuple[str, str]]:
    has = [key for key in ("newTag", "digest") if entry.get(key) is not None]
    if not has:
        raise ImagesError(f'"{image.name}" has neither newTag nor digest under `images:`; add one')
    for key, value, form in (
        ("newTag", image.tag, "a tag"),
        ("digest", image.digest, "a digest (@sha256:…)"),
    ):
        if key in has:
            if not value:
                raise ImagesError(f'"{image.name}" is set by {key} there, so it needs {form}')
            yield key, value


def _image(entry: Mapping[str, Any]) -> Image:
    return Image(
        str(entry.get("newName") or entry.get("name") or ""),
        _string(entry.get("newTag")),
        _string(entry.get("digest")),
    )


def _string(value: object) -> str:
    return "" if value is None else str(value)


def _entries(documents: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        yield from (one for one in _list(document) if isinstance(one, dict))


def _list(document: Any) -> list[Any]:
    found = document.get("images") if isinstance(document, dict) else None
    return found if isinstance(found, list) else []


class _Texts(yaml.SafeLoader):
    """Reads every scalar as text: a tag 1.10 is no number here, and nothing is taken for another."""


_Texts.yaml_implicit_resolvers = {
    key: [one for one in resolvers if one[0] == "tag:yaml.org,2002:merge"]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _documents(content: bytes) -> list[Any]:
    try:
        # A SafeLoader with fewer rules.
        return list(yaml.load_all(_text(content), Loader=_Texts))
    except (
        yaml.YAMLError,
        RecursionError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
    ) as error:
        said = getattr(error, "problem", None) or "it can't be read"
        mark = getattr(error, "problem_mark", None)
        raise ImagesError(f"no YAML: {said}{f' (line {mark.line + 1})' if mark else ''}") from None


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ImagesError("it is no UTF-8") from None


def _span(text: str, number: int, place: int, key: str) -> tuple[int, int]:
    """Where the value stands: between which characters of the text."""
    document = list(yaml.compose_all(text, Loader=_Texts))[number]
    images = _value(document, "images")[1]
    assert isinstance(images, yaml.SequenceNode)
    name, value = _value(images.value[place], key)
    tokens = list(yaml.scan(text, Loader=_Texts))
    for token in tokens:
        inside = token.start_mark.index >= name.end_mark.index
        if isinstance(token, yaml.ScalarToken) and inside:
            if token.end_mark.index != value.end_mark.index or token.style in ("|", ">"):
                break
            return token.start_mark.index, token.end_mark.index
        if isinstance(token, yaml.AliasToken) and inside:
            return token.start_mark.index, token.end_mark.index
    raise ImagesError(f"{key} of an image isn't written as one plain value; write it so")


def _value(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    for name, value in pairs:
        if name.value == key:
            return name, value
    raise ImagesError(f"{key} comes by a merge key; write it out")


def _like(old: str, value: str) -> str:
    """The value in the quotes of the old one, if it had any."""
    if old[:1] in ("'", '"'):
        return f"{old[0]}{value}{old[0]}"
    return value if _PLAIN.fullmatch(value) or _VERSION.fullmatch(value) else f'"{value}"'
