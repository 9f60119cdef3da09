"""The claims of the poster, checked in the federation at hand."""
