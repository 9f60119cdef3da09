"""From stored records to a recommendation: race, evidence, verdict and position; pure functions only."""

from autokd.recommendation.communication import Cost as Cost
from autokd.recommendation.interim_looks import judge_pair as judge_pair
from autokd.recommendation.interim_looks import unfinished as unfinished
from autokd.recommendation.position import Advice as Advice
from autokd.recommendation.race import pending as pending
from autokd.recommendation.race import winner as winner
from autokd.recommendation.recommendation import Recommendation as Recommendation
from autokd.recommendation.recommendation import recommend as recommend
from autokd.recommendation.verdict import Verdict as Verdict
