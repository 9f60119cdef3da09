"""The report: facts (plain numbers), figures drawn from them, and one HTML file that needs no network."""

from autokd.report.facts.report import ReportFacts as ReportFacts
from autokd.report.material import Material as Material
from autokd.report.material import PairMaterial as PairMaterial
from autokd.report.page import page as page
from autokd.report.page import write as write
