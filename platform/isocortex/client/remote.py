"""The client: a server's operations as Python functions.

with isocortex.Client("https://brains.example.org", token="iso_…") as client:
    submission = client.submit({"model": "mine", "kind": "onnx", …}, "mine.onnx")
    client.wait(submission.key)
    print(client.whole_leaderboard().table())
"""

from collections.abc import Callable, Iterator

from .accounts import OwnAccount
from .paging import Item, Page, each_item
from .reading import Reading
from .submitting import Submitting


class Client(Reading, Submitting, OwnAccount):
    """A server's operations: one method each, with the schemas of the API.

    `server` is its address, `token` shown with every request; by default they are what the
    settings ISOCORTEX_SERVER and ISOCORTEX_TOKEN say. Requests that may come twice are sent again
    after broken connections and while the server is busy, `tries` times in all. What the server
    refuses is raised as the error that it would be here, such as UnknownNameError.
    """

    def each(self, listing: Callable[..., Page[Item]], **asked: object) -> Iterator[Item]:
        """All items of a list, page by page: `client.each(client.list_scores, model="mine")`."""
        return each_item(listing, **asked)
