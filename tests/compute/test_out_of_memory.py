from __future__ import annotations

import weakref

import pytest
import torch

from autokd.compute.out_of_memory import ran_out_of_memory, release_memory


def test_knows_the_host_allocators_own_error():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    assert ran_out_of_memory(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        MemoryError(),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_knows_the_errors_of_devices(error):
    assert ran_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory"), KeyError("T")],
)
def test_leaves_other_errors_alone(error):
    assert not ran_out_of_memory(error)


def test_releasing_frees_what_only_refers_to_itself():
    holder = type("Holder", (), {})()
    holder.itself = holder
    held = weakref.ref(holder)
    del holder
    release_memory()
    assert held() is None
