"""Tasks: protocols applied to datasets, their splits, and suites of tasks."""
