"""Examples: data sets, the sources that images are read from, and arrays larger than memory."""
