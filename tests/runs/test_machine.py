"""What the machine decides is decided where nobody did, and only there."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.runs.machine import on_this_machine
from maskwright.system import resources
from maskwright.training.schedule import TrainConfig

DECIDED = ("device", "dtype", "threads", "kernels")
configs = st.builds(
    TrainConfig, device=st.sampled_from(["auto", "cpu"]), dtype=st.sampled_from(["auto", "float32", "bfloat16"]),
    threads=st.integers(0, 64), kernels=st.sampled_from(["auto", "torch", "native"]), seed=st.integers(0, 9),
    lr=st.floats(1e-6, 1.0), steps=st.integers(1, 9999),
)  # fmt: skip


@given(configs)
@settings(deadline=None)
def test_what_was_given_stays_and_nothing_is_left_open(config: TrainConfig) -> None:
    made, _ = on_this_machine(config)
    for name, value in vars(config).items():
        if name not in DECIDED or value not in ("auto", 0):
            assert getattr(made, name) == value, name
    assert "auto" not in vars(made).values()
    assert made.threads > 0
    assert on_this_machine(made) == (made, "")  # and nothing more is to be said of it


@given(st.integers(1, 200))
@settings(deadline=None)
def test_processes_share_the_cores_and_each_has_one(here: int) -> None:
    threads = on_this_machine(TrainConfig(kernels="torch"), here)[0].threads
    assert threads >= 1
    assert threads * here <= max(resources.cores(), here)
    assert on_this_machine(replace(TrainConfig(kernels="torch"), threads=5), here)[0].threads == 5
