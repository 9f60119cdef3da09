"""From what a study's store has to what a participant should do: race, statistics, verdict, position.

Pure functions of records; nothing here reads a database or trains.
"""

from autokd.recommendation.race import Owed as Owed
from autokd.recommendation.race import candidates as candidates
from autokd.recommendation.race import pending as pending
from autokd.recommendation.race import winner as winner
