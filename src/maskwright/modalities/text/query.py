"""Texts with blanks: where they stand, and the text put together again once they are filled.

In: a text in which `{mask}` is one token, `{mask*}` some, `{{mask}}` the literal, and a tokeniser's own mask is a blank too.
In code a blank may touch braces: after a `$`, or where the text has no other blank, `{{mask}}` is a blank in braces.
Out: its `Blank`s; and text in which everything that no blank touches is as it was, byte for byte. Knows no tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from maskwright.errors import QueryError


@dataclass(frozen=True)
class Blank:
    """One blank of a text."""

    first: int
    """Index of the character in the query's text where the blank begins, with a plain space before it taken along."""
    last: int
    """Index of the character in the query's text after the blank's last."""
    open: bool
    """Whether the blank may have any number of tokens up to the longest that is tried."""
    spaced: bool
    """Whether a space before the blank was taken along: its first token must bring one back."""


@dataclass(frozen=True)
class Template:
    """A query and where its blanks' tokens stand among those of the record."""

    text: str
    blanks: list[Blank]
    slots: list[list[int]]
    """For each blank, the indices of its tokens among those of the record."""


def blanks_of(text: str, own_mask: str, where: str) -> list[Blank]:
    """All blanks of a text, in order; `own_mask` is how the tokeniser spells its own. Raises QueryError for none."""
    pattern = re.compile(r"\{\{mask\*?\}\}|\{mask\*?\}|" + re.escape(own_mask))
    matches = list(pattern.finditer(text))
    lone = all(match.group().startswith("{{") for match in matches)
    found = []
    for match in matches:
        first, last = match.span()
        if match.group().startswith("{{"):
            if not lone and text[first - 1 : first] != "$":
                continue
            first, last = first + 1, last - 1
        spaced = text[first - 1 : first] == " "
        found.append(Blank(first - spaced, last, text[first:last] == "{mask*}", spaced))
    if not found:
        fix = "write {mask} for one token, {mask*} for some"
        raise QueryError(f"no blank in {short(text)}", where=where, fix=fix)
    return found


def literal(text: str) -> str:
    """What a stretch without blanks stands for: escaped blanks are spelled out."""
    return text.replace("{{mask}}", "{mask}").replace("{{mask*}}", "{mask*}")


def short(text: str) -> str:
    """A text as an error quotes it."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
