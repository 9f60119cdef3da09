"""The report: facts (plain numbers), figures drawn from them, and one HTML file that needs no network."""

from autokd.report.data import PairData as PairData
from autokd.report.data import ReportData as ReportData
from autokd.report.facts.report import ReportFacts as ReportFacts
from autokd.report.page import page as page
from autokd.report.page import write as write
