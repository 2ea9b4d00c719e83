"""A YAML document of a person's, read as the tool reads it that it is for: Pulumi a stack file, kubectl a kubeconfig.

Both are Go, whose scalars are neither PyYAML's nor quite those of YAML 1.2; and no document may hang or crash this
program, however deep or big it grows. So PyYAML only takes the text apart, and what each part is, is decided here.
The scalars: https://github.com/go-yaml/yaml/blob/v3.0.1/resolve.go; that Pulumi reads them so, tests/real asks itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml

from stacks.loading.yaml_speed import LOADER

DEEPEST = 100
"""How deep a document may nest."""
LARGEST = 8 * 1024 * 1024
"""Characters that a document may have."""
MOST_NODES = 200_000
"""Values that a document may have, those that aliases repeat counted each time: 5,000 spokes have fewer."""

_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
# Which Kubernetes' own reader, of YAML 1.1, takes for truths as well.
_BOOLS_1_1 = _BOOLS | {
    form(word): truth
    for truth, words in ((True, ("y", "yes", "on")), (False, ("n", "no", "off")))
    for word in words
    for form in (str, str.title, str.upper)
}
_INTEGER = re.compile(
    r"[-+]?(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[01]+)|0?[oO]?(?P<o>(?<=0)[0-7]+|(?<=[oO])[0-7]+)|(?P<d>0|[1-9][0-9]*))"
)
_LONGEST = 100
_BASES = {"x": 16, "b": 2, "o": 8, "d": 10}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[Tt]|[ \t]+)\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d*)?[ \t]*(?:Z|[-+]\d{1,2}(?::?\d{2})?)?)?"
)
_STR = "tag:yaml.org,2002:str"
# Neither quotes what is there: in a kubeconfig it may be a password.
_TAG = "no plain YAML: a word that begins with `!` is a tag; take it out, or put it in quotes"
_TOO_BIG = "a number that is too big; put it in quotes"


class DocumentError(Exception):
    """A text that is no such document; the message says why and what to write, and quotes no value.

    `line` counts from 1, and is 0 where there is none.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class _Open:
    """A mapping or list whose end is not reached: its value so far, and the key that waits for a value."""

    value: Any
    line: int
    anchor: str | None
    keys: set[Hashable] = field(default_factory=set)
    waiting: bool = False
    key: Any = None
    size: int = 1
    merged: list[Any] = field(default_factory=list)


def read(text: str, *, kubernetes: bool = False) -> Any:
    """The one document in `text`, None where it is empty; as Kubernetes reads one, or else as Pulumi does.

    Raises DocumentError where it is no YAML, has more than one document, a key twice (which only Kubernetes takes), an
    alias of what it is inside of, a tag, or a date or number that Pulumi would change; and where it is too deep or big.
    """
    if len(text) > LARGEST:
        raise DocumentError(f"is larger than {LARGEST // 1024 // 1024} MiB")
    return _Reader(kubernetes).read(text)


class _Reader:
    def __init__(self, kubernetes: bool) -> None:
        self._kubernetes = kubernetes
        self._bools = _BOOLS_1_1 if kubernetes else _BOOLS
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._root: Any = None
        self._documents = 0

    def read(self, text: str) -> Any:
        try:
            for event in yaml.parse(text, Loader=LOADER):
                self._take(event)
        except UnicodeEncodeError:
            raise DocumentError("no YAML: it has a character that YAML doesn't take") from None
        except yaml.YAMLError as error:
            mark: Any = getattr(error, "problem_mark", None)
            said = getattr(error, "problem", None) or "it has a character that YAML doesn't take"
            line = mark.line + 1 if mark else 0
            if "tag handle" in said:
                said = "a tag that stands for nothing"  # PyYAML quotes it.
            if "cannot start any token" in said and "\t" in _line(text, line):
                said = "a tab stands where YAML takes blanks only; put blanks in its place"
            raise DocumentError(f"no YAML: {said}", line) from None
        return self._root

    def _take(self, event: yaml.Event) -> None:
        mark: Any = event.start_mark
        line = mark.line + 1
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise DocumentError("has more than one document; keep one", line)
            case yaml.ScalarEvent():
                self._add(self._scalar(event, line), 1, event.anchor, line)
            case yaml.AliasEvent():
                if any(one.anchor == event.anchor for one in self._open):
                    raise DocumentError(
                        "no YAML: an alias of what it is inside of; take it out", line
                    )
                if event.anchor not in self._anchors:
                    raise DocumentError("no YAML: an alias of what stands nowhere before it", line)
                self._add(*self._anchors[event.anchor], None, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                if event.tag:
                    raise DocumentError(_TAG, line)
                if len(self._open) == DEEPEST:
                    raise DocumentError(f"nests deeper than {DEEPEST} levels", line)
                made: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._open.append(_Open(made, line, event.anchor))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                done = self._open.pop()
                for other in done.merged:
                    for key, value in other.items():
                        done.value.setdefault(key, value)
                self._add(done.value, done.size, done.anchor, done.line)

    def _add(self, value: Any, size: int, anchor: str | None, line: int) -> None:
        """Put a whole value where it belongs."""
        if anchor:
            self._anchors[anchor] = value, size
        if not self._open:
            self._root = value
            return
        inside = self._open[-1]
        inside.size += size
        if inside.size > MOST_NODES:
            raise DocumentError(f"has more than {MOST_NODES} values, aliases counted", line)
        if isinstance(inside.value, list):
            inside.value.append(value)
        elif not inside.waiting:
            inside.key = self._key(inside, value, line)
            inside.waiting = True
        else:
            inside.waiting = False
            if isinstance(inside.key, _Merge):
                self._merge(inside, value, line)
            else:
                inside.value[inside.key] = value

    def _key(self, inside: _Open, value: Any, line: int) -> Any:
        if isinstance(value, dict | list):
            raise DocumentError("no YAML: a mapping or list can't be a key", line)
        # By kind too: to Python 1 is True.
        known = (type(value), value)
        if known in inside.keys and not self._kubernetes:
            raise DocumentError(f'no YAML: "{value}" stands here twice; take one out', line)
        inside.keys.add(known)
        return value

    @staticmethod
    def _merge(inside: _Open, value: Any, line: int) -> None:
        others = value if isinstance(value, list) else [value]
        if not all(isinstance(one, dict) for one in others):
            raise DocumentError("no YAML: `<<` takes a mapping, or a list of such", line)
        inside.merged += others

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> Any:
        text: str = event.value
        plain = not event.style and event.implicit[0]
        if event.tag not in (None, "!", _STR):
            raise DocumentError(_TAG, line)
        if not plain or event.tag:
            return text
        inside = self._open[-1] if self._open else None
        if text == "<<" and inside and isinstance(inside.value, dict) and not inside.waiting:
            return _Merge()
        if text in _NULLS:
            return None
        if text in self._bools:
            return self._bools[text]
        return self._number(text, line) if text[0] in "+-.0123456789" else text

    def _number(self, text: str, line: int) -> Any:
        """A plain scalar that begins as a number does."""
        if _is_date(text) and not self._kubernetes:
            raise DocumentError(
                "a date without quotes, which Pulumi changes; put it in quotes", line
            )
        bare = text.replace("_", "")
        if found := _INTEGER.fullmatch(bare):
            kind = next(key for key, digits in found.groupdict().items() if digits)
            # Digits without end would take Python for ever; and Pulumi keeps 64 bits.
            size = int(found[kind], _BASES[kind]) if len(bare) < _LONGEST else 2**64
            if size >= 2**63:
                raise DocumentError(_TOO_BIG, line)
            return -size if bare.startswith("-") else size
        if _NO_NUMBER.fullmatch(text):
            raise DocumentError(
                "an infinity or `.nan`, which can't be kept; put it in quotes", line
            )
        if _FLOAT.fullmatch(bare):
            value = float(bare) if len(bare) < _LONGEST else math.inf
            if math.isinf(value):
                raise DocumentError(_TOO_BIG, line)
            # By way of JSON, in which 1.0 is 1.
            return int(value) if value.is_integer() and abs(value) < 2**53 else value
        return text


class _Merge:
    """The key `<<`, equal to no other."""


def _is_date(text: str) -> bool:
    found = _DATE.fullmatch(text)
    if not found:
        return False
    try:
        date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return False
    return True


def _line(text: str, number: int) -> str:
    return next(iter(text.splitlines()[number - 1 : number]), "")
