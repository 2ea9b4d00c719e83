"""pydantic's findings in the reader's words."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stacks.errors import Problem, did_you_mean

Location = tuple[str | int, ...]

_WHOLE_MESSAGES = {
    "missing": "required; add it",
    "string_too_short": "must not be empty",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "string_type": "must be a text; put it in quotes",
}


def place(location: Location) -> str:
    """A location as a person would say it: `("spokes", 1, "name")` is `fleet:spokes[1].name`."""
    text = "fleet"
    for depth, part in enumerate(location):
        text += f"[{part}]" if isinstance(part, int) else f"{':' if depth == 0 else '.'}{part}"
    return text


def explain(error: ValidationError, model: type[BaseModel], document: Any) -> list[Problem]:
    """One Problem for each of pydantic's findings, with the nearest known key where one is misspelt."""
    return [
        Problem(place(finding["loc"]), _message(finding, model, document))
        for finding in error.errors(include_url=False, include_input=False)
    ]


def _message(finding: ErrorDetails, model: type[BaseModel], document: Any) -> str:
    kind, location = finding["type"], finding["loc"]
    if kind == "extra_forbidden":
        known = _keys(model, location[:-1])
        present = _at(document, location[:-1])
        free = [key for key in known if key not in (present if isinstance(present, dict) else {})]
        hint = did_you_mean(str(location[-1]), free or known)
        return f"unknown key{hint or '; known here: ' + ', '.join(known)}"
    if kind == "value_error":
        return str(finding["ctx"]["error"])
    if kind == "literal_error":
        given = _at(document, location)
        expected = [str(word).strip("'") for word in finding["ctx"]["expected"].split(" or ")]
        return f'"{given}" is none of {", ".join(expected)}{did_you_mean(str(given), expected)}'
    return _WHOLE_MESSAGES.get(kind) or finding["msg"][:1].lower() + finding["msg"][1:]


def _keys(model: type[BaseModel], location: Location) -> list[str]:
    """The keys that a stack file may have at `location`."""
    for part in location:
        if isinstance(part, int):
            continue
        by_key = {(field.alias or name): field for name, field in model.model_fields.items()}
        annotation = by_key[part].annotation
        model = next(
            candidate
            for candidate in (annotation, *get_args(annotation))
            if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        )
    return [field.alias or name for name, field in model.model_fields.items()]


def _at(document: Any, location: Location) -> Any:
    for part in location:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document
