"""Submissions: models of strangers, checked, stored, and loaded in a jail."""
