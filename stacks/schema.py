"""The JSON Schema of a stack file, for editors, and the reference page: both made from the model.

`python -m stacks.schema` writes them anew; a test fails where they are stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stacks.load import PREFIX
from stacks.model import Fleet

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "stacks" / "stack.schema.json"
REFERENCE = ROOT / "docs" / "reference.md"


def schema() -> str:
    """The JSON Schema of a whole stack file, as text. Keys of other namespaces are left to Pulumi."""
    fleet = Fleet.model_json_schema(by_alias=True)
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


def reference() -> str:
    """The reference page: every key of a stack file, what it means, and its default."""
    lines = [
        "# Reference of the stack file",
        "",
        "Made from `stacks/model.py` by `make schema`: change it there. How to use the keys is told in",
        "[Your own clusters](your-own-clusters.md#the-stack-file).",
    ]
    for name, field in Fleet.model_fields.items():
        lines += ["", f"## `{PREFIX}{field.alias or name}`", "", _sentence(field)]
        if section := _section(field):
            lines += ["", "| key | | what it is |", "|---|---|---|"]
            for key, inner in section.model_fields.items():
                lines.append(f"| `{inner.alias or key}` | {_need(inner)} | {inner.description} |")
    return "\n".join(lines) + "\n"


def _sentence(field: FieldInfo) -> str:
    kind = " A list, one block each." if "list" in str(field.annotation) and _section(field) else ""
    return f"{_need(field)}. {field.description}{kind}"


def _section(field: FieldInfo) -> type[BaseModel] | None:
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _need(field: FieldInfo) -> str:
    if field.is_required():
        return "REQUIRED"
    default = field.get_default(call_default_factory=True, validated_data={})
    return f"OPTIONAL, default `{json.dumps(default)}`" if default else "OPTIONAL"


if __name__ == "__main__":
    SCHEMA.write_text(schema())
    REFERENCE.write_text(reference())
