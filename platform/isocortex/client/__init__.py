"""The client: another isocortex over its REST API, as Python functions."""
