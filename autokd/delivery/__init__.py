"""Delivers a distilled model: one run, its weights as a file, and a card with its scores."""

from autokd.delivery.card import Card as Card
from autokd.delivery.deliver import deliver as deliver
from autokd.delivery.files import Files as Files
from autokd.delivery.markdown import markdown as markdown
from autokd.delivery.request import DistillationRequest as DistillationRequest
from autokd.delivery.request import ExpectedGain as ExpectedGain
from autokd.delivery.request import choose_setting as choose_setting
from autokd.delivery.request import expected_gain as expected_gain
