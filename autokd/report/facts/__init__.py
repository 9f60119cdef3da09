"""What pages and figures show, as plain numbers: all thinking is done here."""

from autokd.report.facts.pairs import Curve as Curve
from autokd.report.facts.pairs import CurveFacts as CurveFacts
from autokd.report.facts.pairs import LandscapeFacts as LandscapeFacts
from autokd.report.facts.pairs import Panel as Panel
from autokd.report.facts.pairs import Point as Point
from autokd.report.facts.pairs import curve_facts as curve_facts
from autokd.report.facts.pairs import landscape_facts as landscape_facts
