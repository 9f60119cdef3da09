from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from autokd.federation.federation import Federation
from tests.distillation.conftest import make_federation


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """As a run sets it, so that nothing is changed by the way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def federation() -> Federation:
    """Random images, and networks that were never trained."""
    return make_federation()
