"""The pages: facts (plain numbers), figures drawn from them, and one file that needs no network."""

from autokd.report.facts import CurveFacts as CurveFacts
from autokd.report.facts import LandscapeFacts as LandscapeFacts
from autokd.report.facts import curve_facts as curve_facts
from autokd.report.facts import landscape_facts as landscape_facts
from autokd.report.figures import curve_figure as curve_figure
from autokd.report.figures import landscape_figure as landscape_figure
from autokd.report.material import Material as Material
from autokd.report.material import PairMaterial as PairMaterial
from autokd.report.page import page as page
from autokd.report.page import pair_page as pair_page
from autokd.report.page import write as write
