"""Kernels of our own in C++, built once by the machine's compiler and kept; without one, torch's operations do the same.

In: `kernels.cpp` beside this file. Out: the loaded library, or the reason why there is none. Knows how to build and call,
not what is computed: `nets/ops.py` does. Calls let go of Python's lock, and run on as many threads as torch does.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

SOURCE = Path(__file__).with_name("kernels.cpp")
# Nothing that lets the compiler assume away a NaN, or reorder a sum that no pragma frees.
FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
COMPILERS = ("c++", "g++", "clang++")
_SUFFIX = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


class _Switch:
    on = True


def use(on: bool) -> None:
    """Whether this process calls the kernels where it has them."""
    _Switch.on = on


def serves(*tensors: Tensor) -> bool:
    """Whether the kernels take these activations: dense ones on a CPU, in a precision they know."""
    return (
        _Switch.on
        and all(t.device.type == "cpu" and t.dtype in _SUFFIX and t.is_contiguous() for t in tensors)
        and library()[0] is not None
    )


@lru_cache(maxsize=1)
def library() -> tuple[ctypes.CDLL | None, str]:
    """The kernels, and the name of their build; or None, and why there are none."""
    compiler = next((found for name in (os.environ.get("CXX"), *COMPILERS) if name and (found := shutil.which(name))), None)
    if compiler is None:
        return None, "no C++ compiler (install g++ or clang++)"
    # The chip as torch sees it, so that what limits torch limits these too.
    wide = {"AVX512": "-march=native", "AVX2": "-march=x86-64-v3"}.get(torch.backends.cpu.get_cpu_capability())
    flags = (*FLAGS, wide or "-mcpu=native") if wide or platform.machine() == "aarch64" else FLAGS
    try:
        version = subprocess.run([compiler, "--version"], capture_output=True, timeout=20, check=True).stdout
        name = hashlib.sha256(b"\0".join((SOURCE.read_bytes(), version, " ".join(flags).encode(), _chip()))).hexdigest()[:16]
        for folder in (_cache(), Path(tempfile.gettempdir()) / f"maskwright-{os.getuid() if hasattr(os, 'getuid') else 0}"):
            try:
                return ctypes.CDLL(str(_built(folder, name, compiler, flags))), name
            except OSError as error:
                why = f"no place to keep the kernels: {error}"
        return None, why
    except subprocess.CalledProcessError as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        return None, f"{compiler} could not build the kernels: {said[-1] if said else error}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"the kernels could not be built: {error}"


def _built(folder: Path, name: str, compiler: str, flags: tuple[str, ...]) -> Path:
    path = folder / f"kernels-{name}.so"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")  # whose library would run as us
    if not path.is_file():
        with tempfile.TemporaryDirectory(dir=folder) as made:
            fresh = Path(made) / path.name
            subprocess.run([compiler, *flags, str(SOURCE), "-o", str(fresh)], capture_output=True, timeout=300, check=True)
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
    """Runs a kernel in the precision of `like`. Tensors must be contiguous; a missing one is None."""
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
    getattr(kernels, f"{name}_{_SUFFIX[like.dtype]}")(*passed, ctypes.c_int(torch.get_num_threads()))
