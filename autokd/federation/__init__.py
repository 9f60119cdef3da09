"""Federations: data sets, partitions, architectures, pre-training, and participants on disk."""

from autokd.data.dataset import Dataset as Dataset
from autokd.data.run_images import placed as placed
from autokd.federation.federation import Federation as Federation
from autokd.federation.federation import Participant as Participant
from autokd.federation.federation import network as network
from autokd.federation.in_memory import Member as Member
from autokd.federation.preparation import Checked as Checked
from autokd.federation.preparation import Progress as Progress
from autokd.federation.preparation import check as check
from autokd.federation.preparation import prepare as prepare
from autokd.federation.storage import find as find
from autokd.federation.storage import notices as notices
from autokd.federation.storage import place as place
from autokd.models.architectures import ARCHITECTURES as ARCHITECTURES
from autokd.models.building import build as build
from autokd.models.inference import logits_of as logits_of
from autokd.models.training import batches as batches
from autokd.models.training import learning_rate as learning_rate
from autokd.models.training import make_optimizer as make_optimizer
from autokd.models.training import own_randomness as own_randomness
from autokd.models.training import set_learning_rate as set_learning_rate
from autokd.models.weights import Weights as Weights
from autokd.models.weights import load_weights as load_weights
from autokd.models.weights import weights_of as weights_of
