"""Equal tuning: the same number of configurations for every strategy, compared without any test sample."""
