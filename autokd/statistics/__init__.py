"""Confidence intervals, p-values and shares of a gain: mathematics that knows no rules and no runs."""
