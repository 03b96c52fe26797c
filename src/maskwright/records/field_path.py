"""Where in a row a value stands: 'turns[].text' walks a list, 'page.scan' goes into a struct.

In: such a path, a row as dictionaries and lists. Out: the values that it reaches. Knows nothing of what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maskwright.errors import DataError

Path = list[tuple[str, bool]]
"""Steps that lead into a row: field names, each with whether its value is a list to walk."""


def parse(path: str, columns: Sequence[str]) -> Path:
    """'turns[].text' -> [("turns", True), ("text", False)]: a name, and whether its value is a list to walk.

    A column whose own name has a dot is taken as it is.
    """
    if path in columns:
        return [(path, False)]
    return [(part.removesuffix("[]"), part.endswith("[]")) for part in path.split(".")]


def spell(path: Path) -> str:
    """The inverse of `parse`."""
    return ".".join(name + ("[]" if many else "") for name, many in path)


def reach(value: Any, path: Path, where: str) -> list[Any]:
    """All values that `path` leads to in a row; None stands where its last name is missing. Raises DataError."""
    values = [value]
    for name, many in path:
        reached: list[Any] = []
        for item in values:
            if item is None:  # nothing there to reach into
                reached.append(None)
                continue
            if not isinstance(item, dict):
                raise DataError(f"{spell(path)!r} doesn't reach: {name!r} is asked of {type(item).__name__}", where=where)
            inner = item.get(name)
            if many and inner is not None and not isinstance(inner, list):
                what = f"{name!r} is marked [] in {spell(path)!r} but holds {type(inner).__name__}"
                raise DataError(what, where=where)
            reached += (inner or []) if many else [inner]
        values = reached
    return values
