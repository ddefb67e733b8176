"""Datasets, protocols and splits: from the text of a task to the arrays that a worker may see."""
