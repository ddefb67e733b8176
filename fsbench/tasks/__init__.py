"""Tasks: protocols applied to datasets, the splits that they draw, and suites of them."""
