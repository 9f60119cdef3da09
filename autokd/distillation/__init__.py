"""Distillation: the loss, the transfer set, one run, and the evaluation of its student."""

from autokd.distillation.evaluation import Evaluation as Evaluation
from autokd.distillation.evaluation import assess as assess
from autokd.distillation.evaluation import evaluate as evaluate
from autokd.distillation.loss import LossParts as LossParts
from autokd.distillation.loss import distillation_loss as distillation_loss
from autokd.distillation.loss import soft_target_loss as soft_target_loss
from autokd.distillation.run import Run as Run
from autokd.distillation.run import Rung as Rung
from autokd.distillation.trainer import resolve_config as resolve_config
from autokd.distillation.transfer_set import examples as examples
