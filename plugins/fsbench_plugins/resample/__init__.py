"""Strategies that change the training set."""
