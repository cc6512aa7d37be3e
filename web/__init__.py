"""What people see: the REST API and the leaderboard's pages.

`isocortex.web.app.create_app` makes the application. It reads the registry's cards and the store,
never a scorer, a model or torch.
"""
