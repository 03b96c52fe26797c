"""Every mistake that a user can make, one class a kind: the message says what is wrong, where, and what to do.

MaskwrightError
├── DataError      a file, a line or a record that can't be read as asked
├── QueryError     a question to a model that can't be answered (no blank, an impossible target)
├── RecipeError    a choice that doesn't exist or makes no sense (`--set`, `--budget`)
├── ModelError     a folder that is no model, or a damaged one
└── RunError       a run that can't start, can't go on, or had to stop
    └── Interrupted    stopped by the user; a checkpoint is saved

In: words. Out: one line. Knows nothing of shells: `cli.py` turns these into exit codes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MaskwrightWarning(UserWarning):
    """What a user should know of data that was read, and need not mend."""


class MaskwrightError(Exception):
    """The root of all errors that are meant for the user's eyes."""


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


def nearest(word: str, choices: Iterable[str]) -> str:
    """' (did you mean …?)' for the closest of `choices`, or '' when nothing comes close."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
