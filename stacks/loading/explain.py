"""pydantic's findings in the reader's words."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from stacks.model.errors import Problem, did_you_mean

Location = tuple[str | int, ...]
Section = type[BaseModel]

# What pydantic puts at the end of a location where a mapping's key, not its value, is wrong.
_KEY = "[key]"
# What pydantic calls a finding, and what it is to the reader; {…} is filled from the finding's own context.
_WHOLE_MESSAGES = {
    "missing": "required; add it",
    "string_too_short": "must not be empty",
    "too_short": "must have at least {min_length}; add one, or leave the key out",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping, such as {{kind: …}}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def _no_text(location: Location, given: Any) -> str:
    if location[-2:-1] == ("selector",) and location[-1] in ("matchLabels", "matchExpressions"):
        return "a selector here is just labels: write `selector: {environment: dev}`"
    if isinstance(given, list):
        return "must be one text, not a list; write it without the brackets"
    if isinstance(given, dict):
        return "must be a text, not a mapping"
    return (
        "must be a text; put it in quotes" if given is not None else "must be a text, and is empty"
    )


def place(location: Location) -> str:
    """A location as a person would say it: `("spokes", 1, "name")` is `fleet:spokes[1].name`."""
    text = "fleet"
    for depth, part in enumerate(location):
        text += f"[{part}]" if isinstance(part, int) else f"{':' if depth == 0 else '.'}{part}"
    return text


def explain(error: ValidationError, model: Section, document: Any) -> list[Problem]:
    """One Problem for each of pydantic's findings, with the nearest known key or word where one is misspelt."""
    return [
        _problem(finding, model, document)
        for finding in error.errors(include_url=False, include_input=False)
    ]


def _problem(finding: ErrorDetails, model: Section, document: Any) -> Problem:
    kind, context, found = finding["type"], finding.get("ctx", {}), finding["loc"]
    # A person may have a key of that name as well; no such key is ever one that pydantic means.
    is_key = kind != "extra_forbidden" and found[-1:] == (_KEY,)
    location, section, field = _walk(model, found[:-1] if is_key else found)
    if kind == "extra_forbidden":
        known = list(fields(section))
        present = _at(document, location[:-1])
        free = [key for key in known if key not in (present if isinstance(present, dict) else {})]
        hint = did_you_mean(str(location[-1]), free or known)
        message = f"unknown key{hint or '; known here: ' + ', '.join(known)}"
    elif kind == "value_error":
        message = str(context["error"])
    elif kind == "literal_error":
        message = _none_of(_at(document, location), _choices(field))
    elif kind == "union_tag_not_found":
        location = (*location, *_tag_key(field))
        message = f"required; add it: one of {', '.join(kinds(field))}"
    elif kind == "union_tag_invalid":
        location = (*location, *_tag_key(field))
        message = _none_of(context["tag"], list(kinds(field)))
    elif kind == "string_type":
        message = _no_text(location, _at(document, location))
    elif kind in _WHOLE_MESSAGES:
        message = _WHOLE_MESSAGES[kind].format_map(context)
    else:
        message = finding["msg"][:1].lower() + finding["msg"][1:]
    if is_key:
        message = f"the key {message}"
    return Problem(place(location), message)


def fields(section: Section) -> dict[str, FieldInfo]:
    """The fields of a section, by the key that a stack file has for each."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def sections_of(field: FieldInfo) -> list[Section]:
    """The sections that a field may hold, itself or as the items of a list: several where `kind` tells them apart."""
    found: list[Section] = []
    annotations: list[Any] = [field.annotation]
    for one in annotations:
        if isinstance(one, type) and issubclass(one, BaseModel):
            found.append(one)
        annotations += get_args(one)
    return found


def kinds(field: FieldInfo | None) -> dict[str, Section]:
    """The sections that a field may hold by the word that tells them apart; empty where there is no such word."""
    tag = _tag_key(field)
    if not field or not tag:
        return {}
    return {_choices(fields(one)[tag[0]])[0]: one for one in sections_of(field)}


def _tag_key(field: FieldInfo | None) -> tuple[str, ...]:
    return (field.discriminator,) if field and isinstance(field.discriminator, str) else ()


def _choices(field: FieldInfo | None) -> list[str]:
    """The words of a field that takes one of a few."""
    found: list[str] = []
    annotations: list[Any] = [field.annotation] if field else []
    for one in annotations:
        if get_origin(one) is Literal:
            found += get_args(one)
        else:
            annotations += get_args(one)
    return found


def _none_of(given: object, known: list[str]) -> str:
    return f'"{given}" is none of {", ".join(known)}{did_you_mean(str(given), known)}'


def _walk(model: Section, found: Location) -> tuple[Location, Section, FieldInfo | None]:
    """A location without what pydantic puts in of its own, and the section and field of the last key in it."""
    location: list[str | int] = []
    section, field, inside, tags = model, None, [model], dict[str, Section]()
    for part in found:
        if part in tags:
            inside, tags = [tags[str(part)]], {}
        else:
            location.append(part)
            if isinstance(part, str) and inside:
                section = inside[0]
                field = fields(section).get(part)
                tags, inside = kinds(field), sections_of(field) if field else []
    return tuple(location), section, field


def _at(document: Any, location: Location) -> Any:
    for part in location:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            return None
    return document
