"""What people see: the REST API and the leaderboard's pages."""
