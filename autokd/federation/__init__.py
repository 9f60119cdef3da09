"""Federations: data sets, partitions, architectures, pre-training, and participants on disk."""

from autokd.data.dataset import Dataset as Dataset
from autokd.data.run_images import placed as placed
from autokd.federation._federation import Federation as Federation
from autokd.federation._federation import Participant as Participant
from autokd.federation.architectures import ARCHITECTURES as ARCHITECTURES
from autokd.federation.architectures import Weights as Weights
from autokd.federation.architectures import build as build
from autokd.federation.architectures import load_weights as load_weights
from autokd.federation.architectures import network as network
from autokd.federation.architectures import weights_of as weights_of
from autokd.federation.folder import find as find
from autokd.federation.folder import notices as notices
from autokd.federation.folder import place as place
from autokd.federation.memory import Member as Member
from autokd.federation.preparation import Checked as Checked
from autokd.federation.preparation import Progress as Progress
from autokd.federation.preparation import check as check
from autokd.federation.preparation import prepare as prepare
from autokd.federation.pretraining import logits_of as logits_of
from autokd.federation.training import batches as batches
from autokd.federation.training import learning_rate as learning_rate
from autokd.federation.training import make_optimizer as make_optimizer
from autokd.federation.training import own_randomness as own_randomness
from autokd.federation.training import set_learning_rate as set_learning_rate
