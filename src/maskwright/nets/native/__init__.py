"""Kernels of our own: in C++, built once by the machine's compiler and kept, and in Triton for GPUs; without them, torch's
operations do the same.

In: the C++ files beside this one, and `gpu.py`. Out: the loaded library, or the reason why there is none. Knows how to build
and call, not what is computed: `nets/ops.py` does. Calls of C++ let go of Python's lock, and run on as many threads as torch
does.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

SOURCES = sorted(Path(__file__).parent.glob("*.cpp"))
HEADERS = sorted(Path(__file__).parent.glob("*.h"))
# Nothing that lets the compiler assume away a NaN, or reorder a sum that no pragma frees.
FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
# Vectors as long as the chip has them: compilers halve them, for fear of a lower clock that such chips no longer have.
CHIPS = {"AVX512": ("-march=native", "-mprefer-vector-width=512"), "AVX2": ("-mavx2", "-mfma", "-mf16c", "-mbmi2")}
COMPILERS = ("c++", "g++", "clang++")
CPU, GPU = ("cpu",), ("cuda",)
GPU_CHIP = (8, 0)
"""The lowest CUDA compute capability on which the kernels for GPUs run."""
PRECISIONS = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


class _Switch:
    on = True


@contextmanager
def using(on: bool) -> Iterator[None]:
    """Whether this process calls the kernels where it has them, for a while."""
    before, _Switch.on = _Switch.on, on
    try:
        yield
    finally:
        _Switch.on = before


def serves(*activations: Tensor, with_: Sequence[Tensor | None] = (), on: Sequence[str] = CPU) -> bool:
    """Whether there are kernels that take these activations (dense, all on one device of those that the kernels are written
    for, in one precision that they know) with these parameters (dense, fp32)."""
    first = activations[0]
    alike = all(t.dtype == first.dtype and t.device == first.device and t.is_contiguous() for t in activations)
    whole = all(t is None or (t.dtype == torch.float32 and t.is_contiguous()) for t in with_)
    known = _Switch.on and first.dtype in PRECISIONS and first.device.type in on
    return known and alike and whole and (_on_gpu() if first.is_cuda else library()[0]) is not None


def found(place: torch.device) -> tuple[bool, str]:
    """Whether there are kernels for this device, and the name of their build, or why there are none."""
    if place.type == "cuda":
        here = _on_gpu()
        return (
            here is not None,
            f"triton {here.triton.__version__}" if here else "no kernels for GPUs: no Triton or C compiler, or an old GPU",
        )
    kernels, said = library()
    return kernels is not None, said


@lru_cache(maxsize=1)
def _on_gpu() -> ModuleType | None:
    """The kernels for GPUs, where torch brings Triton, and this chip and machine can use it."""
    compiler = os.environ.get("CC") or any(map(shutil.which, ("cc", "gcc", "clang")))  # Triton builds its launchers
    able = torch.cuda.get_device_capability() >= GPU_CHIP and compiler and find_spec("triton")
    return import_module("maskwright.nets.native.gpu") if able else None


@lru_cache(maxsize=1)
def library() -> tuple[ctypes.CDLL | None, str]:
    """The kernels, and the name of their build; or None, and why there are none."""
    compilers = [found for name in (os.environ.get("CXX"), *COMPILERS) if name and (found := shutil.which(name))]
    why = "no C++ compiler (install g++ or clang++)"
    for compiler in dict.fromkeys(compilers):
        try:
            return _loaded(compiler)
        except subprocess.CalledProcessError as error:
            said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
            why = f"{compiler} could not build the kernels: {said[-1] if said else error}"
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            why = f"the kernels could not be built: {error}"
    return None, why


def _loaded(compiler: str) -> tuple[ctypes.CDLL, str]:
    # The chip as torch sees it, so that what limits torch limits these too.
    chip = CHIPS.get(torch.backends.cpu.get_cpu_capability(), ())
    flags = (*FLAGS, *(("-mcpu=native",) if platform.machine() in ("aarch64", "arm64") else chip))
    version = subprocess.run([compiler, "--version"], capture_output=True, timeout=20, check=True).stdout
    code = [path.read_bytes() for path in (*SOURCES, *HEADERS)]
    name = hashlib.sha256(b"\0".join((*code, version, " ".join(flags).encode(), _chip()))).hexdigest()[:16]
    try:
        return ctypes.CDLL(str(_built(_cache(), name, compiler, flags))), name
    except (OSError, RuntimeError):  # none that can be written to, or no home folder at all
        user = os.getuid() if hasattr(os, "getuid") else 0
        return ctypes.CDLL(str(_built(Path(tempfile.gettempdir()) / f"maskwright-{user}", name, compiler, flags))), name


def _built(folder: Path, name: str, compiler: str, flags: tuple[str, ...]) -> Path:
    path = folder / f"kernels-{name}.so"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if hasattr(os, "getuid"):  # a library that others could put there would run as us
        for made in (folder, path):
            there = made.lstat() if os.path.lexists(made) else None
            if there and (there.st_uid != os.getuid() or there.st_mode & 0o022 or stat.S_ISLNK(there.st_mode)):
                raise PermissionError(f"{made} is a link, or others may write there")
    if not path.is_file():
        with tempfile.TemporaryDirectory(dir=folder) as made_in:
            fresh = Path(made_in) / path.name
            command = [compiler, *flags, *map(str, SOURCES), "-o", str(fresh)]
            subprocess.run(command, capture_output=True, timeout=300, check=True)
            fresh.chmod(0o700)
            os.replace(fresh, path)
    return path


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "maskwright"


def _chip() -> bytes:
    """What tells one kind of chip from another: a home folder may be shared by machines."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
        return b"".join(sorted({x for x in lines if x.startswith((b"flags", b"model name", b"Features"))}))
    except OSError:
        return f"{platform.machine()} {platform.processor()}".encode()


def call(name: str, like: Tensor, *arguments: Tensor | int | float | None) -> None:
    """Runs a kernel on the device of `like` and in its precision. Tensors must be contiguous; a missing one is None."""
    if like.is_cuda:
        getattr(_on_gpu(), name)(*arguments)
        return
    kernels = library()[0]
    assert kernels is not None
    passed: list[object] = []
    for argument in arguments:
        if argument is None:
            passed.append(ctypes.c_void_p(None))
        elif isinstance(argument, Tensor):
            passed.append(ctypes.c_void_p(argument.data_ptr()))
        else:
            passed.append(ctypes.c_float(argument) if isinstance(argument, float) else ctypes.c_int64(argument))
    getattr(kernels, f"{name}_{PRECISIONS[like.dtype]}")(*passed, ctypes.c_int(torch.get_num_threads()))
