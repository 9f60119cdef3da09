"""Figures drawn from facts, in the form that plotly.js reads; nothing is computed here."""
