"""Weights of a network as values, which Ray shares between workers without copying."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Weights = Mapping[str, NDArray[np.generic]]
"""State dict of a network as NumPy arrays, by name: parameters and buffers."""
