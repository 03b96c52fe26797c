"""The model card: what a model was trained on, how good it is beside counting, what it is not good for.

In: the facts that go into `maskwright.json`. Out: README.md of the model folder, with the front matter that model hubs
read. Every figure in it was measured in the run; nothing is judged by hand.
"""

from __future__ import annotations

from typing import Any

from maskwright.modalities.base import Modality
from maskwright.nets.checkpoints.convert import FAMILIES
from maskwright.nets.encoder import NetConfig

TASKS = {family.name: family.task for family in FAMILIES.values()}
"""what a model hub files each family under"""


def text(about: dict[str, Any], modality: Modality, net: NetConfig) -> str:
    data, held, trained = about["data"], about["held_out"], about["trained"]
    better = held["floor_neighbours"] - held["bits_per_byte"]
    verdict = (
        f"{better / held['floor_neighbours']:.0%} below what counting neighbours reaches."
        if better > 0
        else "**No better than counting neighbours**: train longer, or on more data."
    )
    calibration, shared = about["calibration"], modality.hugging_face(net)
    lines = [
        "---",
        *(["library_name: transformers", f"pipeline_tag: {TASKS[shared['config.json']['model_type']]}"] if shared else []),
        "tags: [maskwright, masked-model]",
        "license: unknown",
        "---",
        "",
        f"# A masked model of {', '.join(data['paths'])}",
        "",
        f"Trained with maskwright on {data['records']:,} records ({data['bytes'] / 1e6:.2f} MB); {data['duplicates']:,}"
        f" duplicates were left out, {data['held_out_records']:,} records held out.",
        "",
        "| on held-out data | bits a byte |",
        "|---|---|",
        f"| this model | {held['bits_per_byte']:.4f} |",
        f"| counting neighbours | {held['floor_neighbours']:.4f} |",
        f"| counting frequency | {held['floor_frequency']:.4f} |",
        "",
        f"{verdict} All with 15% of the tokens hidden at random."
        + (f" It guesses {held['top1']:.1%} of them exactly, and {held['top5']:.1%} within five guesses." * modality.exact),
        "",
        f"- Modality: {modality.name}. Width {net.width}, {net.layers} layers, reads {net.length} tokens at once.",
        f"- Weights of step {trained['step']:,} of {trained['steps']:,}; the data was seen {trained['epochs']} times.",
        f"- Calibration: temperature {calibration['slot']} for one slot"
        + f", {calibration['joint']} for whole completions" * modality.exact
        + f"; {len(calibration['strangeness'])} held-out records say what is odd."
        if calibration
        else "- Not calibrated yet: the run that writes this folder goes on.",
        *(f"- {said[0].upper()}{said[1:]}." for said in modality.caveats.values()),
        *(
            ["- Few documents: stretches of them were held out, so the figures say little of other documents."]
            if data["stretched"]
            else []
        ),
        *(
            []
            if data["parted"]
            else ["- Too few documents to part the held-out data: what chose the weights also calibrated them."]
        ),
        "",
        "## Limits",
        "",
        "It knows what its data says, with the data's errors and biases, and may repeat parts of it word for word: don't"
        " publish a model of private data. Its licence follows from that of the data, which only you know.",
        "",
    ]
    return "\n".join(lines)
