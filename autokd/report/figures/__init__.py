"""Figures drawn from facts with plotly; nothing is decided here."""

from autokd.report.figures.common import as_json as as_json
from autokd.report.figures.common import library as library
from autokd.report.figures.federation import accuracy_figure as accuracy_figure
from autokd.report.figures.federation import histogram_figure as histogram_figure
from autokd.report.figures.federation import matrix_figure as matrix_figure
from autokd.report.figures.pairs import classes_figure as classes_figure
from autokd.report.figures.pairs import curve_figure as curve_figure
from autokd.report.figures.pairs import landscape_figure as landscape_figure
from autokd.report.figures.settings import anytime_figure as anytime_figure
from autokd.report.figures.settings import best_figure as best_figure
from autokd.report.figures.settings import forgotten_figure as forgotten_figure
from autokd.report.figures.settings import importance_figure as importance_figure
