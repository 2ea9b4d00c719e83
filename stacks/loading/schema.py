"""The JSON Schema of a stack file, for editors, and the reference page: both made from the model.

`python -m stacks.loading.schema` writes them anew; a test fails where they are stale.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

from pydantic.fields import FieldInfo

from stacks.loading.explain import Section, fields, kinds, sections_of
from stacks.loading.load import PREFIX
from stacks.model.fleet import Fleet

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "stacks" / "stack.schema.json"
REFERENCE = ROOT / "docs" / "reference.md"


def schema() -> str:
    """The JSON Schema of a whole stack file, as text. Keys of other namespaces are left to Pulumi."""
    fleet = Fleet.model_json_schema(by_alias=True)
    for field in (one for section in sections() for one in fields(section).values()):
        for one in kinds(field).values():
            # A default serves Python; a stack file that writes the section names its kind.
            required = fleet["$defs"][one.__name__].setdefault("required", [])
            if field.discriminator not in required:
                required.append(field.discriminator)
    config = {
        "type": "object",
        "properties": {f"{PREFIX}{name}": body for name, body in fleet["properties"].items()},
        "required": [f"{PREFIX}{name}" for name in fleet["required"]],
        "patternProperties": {f"^(?!{PREFIX})": {}},
        "additionalProperties": False,
    }
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack file of Fleet",
        "type": "object",
        "properties": {"config": config},
        "required": ["config"],
        "$defs": fleet["$defs"],
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def sections(section: Section = Fleet) -> list[Section]:
    """Every section that `section` may hold, itself first, each once."""
    found = [section]
    for one in found:
        for field in fields(one).values():
            found += [inner for inner in sections_of(field) if inner not in found]
    return found


def reference() -> str:
    """The reference page: every key of a stack file, what it means, and its default."""
    lines = [
        "# Reference of the stack file",
        "",
        "Made from the model in `stacks/` by `make schema`: change it there. How to use the keys is told in",
        "[Your own clusters](your-own-clusters.md#the-stack-file).",
    ]
    told: dict[Section, str] = {}
    for key, field in fields(Fleet).items():
        lines += _chapter(f"{PREFIX}{key}", field, 2, told)
    return "\n".join(lines) + "\n"


def _chapter(path: str, field: FieldInfo, depth: int, told: dict[Section, str]) -> list[str]:
    """A heading for the key at `path`, and what it may hold; a section already told of is only pointed to."""
    lines = ["", f"{'#' * depth} `{path}`", "", f"{_need(field)}. {_prose(field)}"]
    inner = sections_of(field)
    if "list" in str(field.annotation) and inner:
        lines[-1] += " A list, one block each."
        path += "[]"
    if words := kinds(field):
        for word, section in words.items():
            lines += ["", f"{'#' * (depth + 1)} `{path}`: `{field.discriminator}: {word}`", ""]
            lines += [inspect.cleandoc(section.__doc__ or "")]
            lines += _table(path, section, {str(field.discriminator)}, depth + 1, told)
    elif inner and inner[0] in told:
        before = told[inner[0]]
        lines[-1] += f" Its keys are those of [`{before}`](#{_anchor(before)})."
    elif inner:
        told[inner[0]] = path.removesuffix("[]")
        lines += _table(path, inner[0], set(), depth, told)
    return lines


def _table(
    path: str, section: Section, without: set[str], depth: int, told: dict[Section, str]
) -> list[str]:
    """The keys of a section, then a chapter for each that holds sections of its own."""
    shown = {key: field for key, field in fields(section).items() if key not in without}
    if not shown:
        return []
    lines = ["", "| key | | what it is |", "|---|---|---|"]
    lines += [f"| `{key}` | {_need(field)} | {_prose(field)} |" for key, field in shown.items()]
    for key, field in shown.items():
        if sections_of(field):
            lines += _chapter(f"{path}.{key}", field, depth + 1, told)
    return lines


def _prose(field: FieldInfo) -> str:
    """A field's description, with `<` kept from being HTML where it isn't code."""
    parts = (field.description or "").split("`")
    return "`".join(
        part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(parts)
    )


def _anchor(heading: str) -> str:
    """What git forges make of a heading, to link to it."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def _need(field: FieldInfo) -> str:
    if field.is_required():
        return "REQUIRED"
    default = field.get_default(call_default_factory=True, validated_data={})
    plain = not sections_of(field) and default not in (None, "", [], {})
    return f"OPTIONAL, default `{json.dumps(default)}`" if plain else "OPTIONAL"


if __name__ == "__main__":
    SCHEMA.write_text(schema())
    REFERENCE.write_text(reference())
