"""Pages of lists, turned one after the other."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item", covariant=True)


class Page(Protocol[Item]):
    """Some items, and the cursor of those that follow; None if there are none."""

    @property
    def items(self) -> Sequence[Item]:
        """The items of this page."""

    @property
    def next(self) -> str | int | None:
        """What the following page is asked for by."""


def each_item(listing: Callable[..., Page[Item]], **asked: object) -> Iterator[Item]:
    """All items of a list, page by page, as they are asked for: `each_item(client.list_jobs)`.

    `asked` are the listing's own arguments; `limit` is then the size of a page.
    """
    cursor: str | int | None = None
    while True:
        page = listing(**asked, cursor=cursor)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return
