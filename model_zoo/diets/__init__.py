"""Diets: what a network is fed."""
