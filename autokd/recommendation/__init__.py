"""From what a study's store has to what a participant should do: race, statistics, verdict, position.

Pure functions of records; nothing here reads a database or trains.
"""

from autokd.recommendation.communication import Cost as Cost
from autokd.recommendation.interim_looks import judge_pair as judge_pair
from autokd.recommendation.interim_looks import unfinished as unfinished
from autokd.recommendation.position import Advice as Advice
from autokd.recommendation.position import PositionAdvice as PositionAdvice
from autokd.recommendation.race import candidates as candidates
from autokd.recommendation.race import pending as pending
from autokd.recommendation.race import winner as winner
from autokd.recommendation.recommendation import Recommendation as Recommendation
from autokd.recommendation.recommendation import recommend as recommend
from autokd.recommendation.verdict import Verdict as Verdict
