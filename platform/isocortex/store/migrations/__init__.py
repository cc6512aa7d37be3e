"""The schema's history: each revision is one file of `versions`, written by hand.

`tests/store/test_migrations.py` says whether the revisions and `isocortex.store.schema` agree.
"""
