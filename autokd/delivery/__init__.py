"""The distilled model in hand: one run, its weights as a file, and a card that says what they are worth."""

from autokd.delivery.card import Card as Card
from autokd.delivery.choice import chosen as chosen
from autokd.delivery.choice import promised as promised
from autokd.delivery.deliver import deliver as deliver
from autokd.delivery.files import Files as Files
from autokd.delivery.markdown import markdown as markdown
from autokd.delivery.order import Order as Order
from autokd.delivery.order import Promise as Promise
