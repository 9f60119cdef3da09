"""Networks: built, put behind a federation's input and output, trained, and asked."""
