"""Recognises errors that mean "out of memory", and frees what a failed run held."""

from __future__ import annotations

import gc
from typing import Final

import torch

_SIGNS: Final = (
    "out of memory",  # CUDA's allocator outside torch's own, e.g. "CUDA error: out of memory"
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def ran_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that host or device memory is used up.

    NOTE: only CUDA's caching allocator has its own exception type; the other allocators raise a RuntimeError
    that only its message identifies.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release_memory() -> None:
    """Return unused memory to Python and to the CUDA driver."""
    gc.collect()
    torch.cuda.empty_cache()  # Does nothing if CUDA is not in use.
