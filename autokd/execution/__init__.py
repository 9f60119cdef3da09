"""Has runs done by Ray Tune's workers, and records their results."""
