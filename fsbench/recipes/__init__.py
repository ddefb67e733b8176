"""Recipes and the catalogue of backbones, as texts. This package imports no torch."""
