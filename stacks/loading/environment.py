"""`${NAME}` in a stack file: what only the machine knows, put in before anything looks at the value."""

from __future__ import annotations

import os
import re
from typing import Any

from stacks.loading.explain import Location, place
from stacks.model.errors import Problem

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# `$${` stands for `${`; what is between braces may be anything, and one may lack its end.
_REFERENCE = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<name>[^{}]*)(?P<end>\}?)")


def from_environment(value: Any, problems: list[Problem], where: Location = ()) -> Any:
    """`value` with every `${NAME}` replaced by that environment variable, and every `$${` by `${`.

    An unset variable, and what is no reference but looks like one, is put to the `problems`, by its place.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _replaced(found, problems, where), value)
    if isinstance(value, dict):
        for key in value:
            if "${" in str(key):
                problems.append(
                    Problem(place((*where, key)), "a key takes no `${…}`; write it as it is")
                )
        return {key: from_environment(item, problems, (*where, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [
            from_environment(item, problems, (*where, index)) for index, item in enumerate(value)
        ]
    return value


def _replaced(found: re.Match[str], problems: list[Problem], where: Location) -> str:
    if found["escaped"]:
        return "${"
    name = found["name"]
    wrong = ""
    if not found["end"]:
        wrong = "`${` has no `}` after it: write ${NAME}"
    elif _NAME.fullmatch(name):
        if os.environ.get(name):
            return os.environ[name]
        wrong = f"environment variable {name} is not set; set it or write the value"
    elif begun := _NAME.match(name):
        wrong = f"${{{begun[0]}…}} has more in it than a name: write ${{{begun[0]}}}, and set it"
    else:
        wrong = "`${…}` has no name of an environment variable in it: write ${NAME}"
    problems.append(Problem(place(where), f"{wrong}; for a literal `${{` write `$${{`"))
    return ""
