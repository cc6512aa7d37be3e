"""The schemas of the API, by the name the site knows them by.

They stand in `isocortex.client.schemas`, since server and client share them and a client needs no
server: a new schema is written there.
"""

from isocortex.client.schemas import *  # noqa: F403
