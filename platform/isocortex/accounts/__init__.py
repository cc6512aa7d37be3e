"""Accounts: who may do what; passwords, sessions, tokens, and what was done."""
