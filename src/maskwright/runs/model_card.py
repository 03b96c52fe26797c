"""The model card: what a model was trained on, how good it is compared with counting, what it is not good for.

In: what `maskwright.json` says. Out: README.md of the model folder, with the front matter that model hubs read. Every figure
in it was measured in the run; nothing is judged by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from maskwright.modalities.base import Modality
from maskwright.model.about import About, DataFacts, HeldOutFigures
from maskwright.nets.encoder import NetConfig

LIMITS = """## Limits

It knows what its data says, with the data's errors and biases, and may repeat parts of it word for word: don't publish a
model of private data. Its licence follows from that of the data, which only you know.
"""


def text(about: About, modality: Modality, net: NetConfig) -> str:
    """The whole card, in Markdown."""
    data, held = about.data, about.held_out
    assert data is not None and held is not None  # noqa: PT018 (of a run both are known)
    lines = [
        *_front_matter(modality, net),
        f"# A masked model of {', '.join(data.paths)}",
        "",
        f"Trained with maskwright on {data.records:,} records ({data.bytes / 1e6:.2f} MB); {data.duplicates:,}"
        f" duplicates were left out, {data.held_out_records:,} records held out.",
        "",
        *_figures(held, about.lists_values),
        "",
        *_facts(about, modality, net),
        *_reservations(data),
        "",
        LIMITS,
    ]
    return "\n".join(lines)


def _front_matter(modality: Modality, net: NetConfig) -> Iterator[str]:
    """What a model hub files it under, where other libraries open it."""
    shared, checkpoints = modality.checkpoints.files(net), modality.checkpoints
    yield "---"
    if shared:
        kind = shared["config.json"]["model_type"]
        yield "library_name: transformers"
        yield f"pipeline_tag: {next(family.task for family in checkpoints.families if family.name == kind)}"
    yield from ("tags: [maskwright, masked-model]", "license: unknown", "---", "")


def _figures(held: HeldOutFigures, lists_values: bool) -> Iterator[str]:
    """A table that compares the net with counting, and what it says."""
    yield from ("| on held-out data | bits a byte |", "|---|---|", f"| this model | {held.bits_per_byte:.4f} |")
    if held.floor_neighbours is not None:
        yield f"| counting neighbours | {held.floor_neighbours:.4f} |"
    if held.floor_frequency is not None:
        yield f"| counting frequency | {held.floor_frequency:.4f} |"
    below = held.below_counting
    if below is None:
        verdict = "Nothing is known of what counting reaches on this kind of data."
    elif below > 0:
        verdict = f"{below:.0%} below what counting neighbours reaches."
    else:
        verdict = "**No better than counting neighbours**: train longer, or on more data."
    guessed = (
        f" It guesses {held.top1:.1%} of them exactly, and {held.top5:.1%} within five guesses." if lists_values else ""
    )
    yield from ("", f"{verdict} All with 15% of the tokens hidden at random.{guessed}")


def _facts(about: About, modality: Modality, net: NetConfig) -> Iterator[str]:
    yield f"- Modality: {modality.name}. Width {net.width}, {net.layers} layers, reads {net.length} tokens at once."
    if about.trained:
        trained = about.trained
        yield f"- Weights of step {trained.step:,} of {trained.steps:,}; the data was seen {trained.epochs} times."
    if about.calibration:
        slots = f"- Calibration: temperature {about.calibration.slot} for one slot"
        whole = f", {about.calibration.joint} for whole completions" if about.lists_values else ""
        yield f"{slots}{whole}; {len(about.calibration.strangeness)} held-out records say what is odd."
    else:
        yield "- Not calibrated yet: the run that writes this folder goes on."
    for said in modality.caveats.values():
        yield f"- {said[0].upper()}{said[1:]}."


def _reservations(data: DataFacts) -> Iterator[str]:
    if data.stretched:
        yield "- Few documents: stretches of them were held out, so the figures say little of other documents."
    if not data.parted:
        yield "- Too few documents to part the held-out data: what chose the weights also calibrated them."
