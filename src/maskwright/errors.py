"""Every mistake that a user can make, one class a kind, with fields: what is wrong, where, how to mend it, which option.

MaskwrightError
├── DataError      a file, a line or a record that can't be read as asked
├── QueryError     a question to a model that can't be answered (no blank, an impossible target)
├── RecipeError    a choice that doesn't exist or makes no sense (a setting, a budget)
├── ModelError     a folder that is no model, or a damaged one
└── RunError       a run that can't start, can't go on, or had to stop
    └── Interrupted    stopped by the user; a checkpoint is saved

In: words, in which options are named by `option`. Out: one line, as Python spells its options; a face that spells them in
another way (`--on-bad skip`) passes that line through `spelled`. Knows nothing of shells or servers: they turn these classes
into exit codes and statuses.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable
from typing import Self

_OPTION = re.compile("\x01([^\x02]*)\x02([^\x03]*)\x03")
"""Matches an option in a message: its name and its value, between control characters that no message holds."""


_PLAIN = re.compile(r"True|False|-?(0|[1-9][0-9]*)(\.[0-9]+)?(e-?[0-9]+)?")
"""Matches values that Python writes without quotation marks."""


class MaskwrightWarning(UserWarning):
    """Something that a user should know of data that was read, and need not mend. Its options are marked by `option()`."""

    def __str__(self) -> str:
        return spelled(str(self.args[0]))


class MaskwrightError(Exception):
    """The root of all errors that are meant for a user's eyes.

    `what` is wrong, `where` (a file with its line, a record, a folder; empty where the call as a whole is meant), and how to
    `fix` it: lines as Python spells its options. `option` names the parameter at fault, where there is one. What an error is
    made of may hold options marked by `option()`; `message` keeps the marks.

    >>> str(DataError("ragged row: 2 fields where the header has 3", where="a.csv:7", fix="quote separators"))
    'a.csv:7: ragged row: 2 fields where the header has 3; quote separators'
    """

    def __init__(self, what: str, *, where: object = "", fix: str = "", option: str = "") -> None:
        super().__init__(what)
        self._what, self._where, self._fix, self.option = what, str(where), fix, option

    @property
    def what(self) -> str:
        """What is wrong."""
        return spelled(self._what)

    @property
    def where(self) -> str:
        """Where it is wrong; empty: in the call as a whole."""
        return spelled(self._where)

    @property
    def fix(self) -> str:
        """What to do; empty where that follows from what is wrong."""
        return spelled(self._fix)

    @property
    def message(self) -> str:
        """The whole line, its options still marked: for `spelled`."""
        where = f"{self._where}: " if self._where else ""
        return f"{where}{self._what}" + (f"; {self._fix}" if self._fix else "")

    def at(self, where: object) -> Self:
        """The same error, said of another place."""
        return self._changed(_where=str(where))

    def or_else(self, way: str) -> Self:
        """The same error with one more way out of it."""
        return self._changed(_fix=f"{self._fix}, or {way}" if self._fix else way)

    def _changed(self, **fields: str) -> Self:
        made = type(self).__new__(type(self), *self.args)
        vars(made).update(vars(self) | fields)
        return made

    def __str__(self) -> str:
        return spelled(self.message)


class DataError(MaskwrightError):
    """A file, line or record can't be read as asked."""


class QueryError(MaskwrightError):
    """A question that the model can't answer."""


class RecipeError(MaskwrightError):
    """A choice that doesn't exist or makes no sense."""


class ModelError(MaskwrightError):
    """A folder that is no model, or one that is damaged."""


class RunError(MaskwrightError):
    """A training run that can't start, can't go on exactly, or had to stop."""


class Interrupted(RunError):
    """The user stopped the run; its state is saved."""


def option(name: str, value: object = "") -> str:
    """An option in a message, by its name in Python; a name with a dot is a key of the recipe. See `spelled`."""
    return f"\x01{name}\x02{value}\x03"


def in_python(name: str, value: str) -> str:
    """on_bad="skip", resume=True, settings=["train.lr=3e-4"], or the name alone, as code."""
    if "." in name:
        return f'settings=["{name}={value or "…"}"]'
    if not value:
        return f"`{name}`"
    return f"{name}={value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)}"


def spelled(message: str, spell: Callable[[str, str], str] = in_python) -> str:
    """A message with its options as `spell` writes them: (name, value) -> words.

    >>> spelled(f"mend the line, or {option('on_bad', 'skip')}")
    'mend the line, or on_bad="skip"'
    """
    return _OPTION.sub(lambda match: spell(match[1], match[2]), message)


def nearest(word: str, choices: Iterable[str]) -> str:
    """' (did you mean …?)' for the closest of `choices`, or '' when nothing comes close."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
