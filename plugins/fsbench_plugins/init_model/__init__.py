"""Strategies that give the model a better start."""
