"""Strategies that add a term to the objective."""
