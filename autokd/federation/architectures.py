"""Former place of `autokd.models.architectures`, which scripts on cards of earlier releases import."""

import warnings

from autokd.models.architectures import Cnn as Cnn
from autokd.models.architectures import Mlp as Mlp
from autokd.models.architectures import ResNet18 as ResNet18
from autokd.models.architectures import Shape as Shape

warnings.warn("import from autokd.models.architectures instead", DeprecationWarning, stacklevel=2)
