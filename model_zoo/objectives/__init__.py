"""Objectives: what a network is trained for, with the heads that it needs."""
