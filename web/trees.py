"""The tree of benchmarks, dataset → region → scorer: which of them count, and how much.

A node is named by its path, `cichy2014`, `cichy2014/IT` or `cichy2014/IT/rsa`. A benchmark counts
unless its node or one above it is left out, and weighs the product of the weights along its path.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from isocortex.store import StoredBenchmark
from isocortex.store.leaderboards import is_below


@dataclass(frozen=True)
class Node:
    """A node of the tree: `ticked` unless it is left out itself, `weight` is its own factor.

    `leaves` names the benchmarks below it; a benchmark's own node has no `children`.
    """

    path: str
    label: str
    ticked: bool
    weight: float
    leaves: tuple[str, ...]
    children: tuple["Node", ...] = ()


def benchmark_tree(
    benchmarks: Sequence[StoredBenchmark], without: Iterable[str], weights: Mapping[str, float]
) -> tuple[Node, ...]:
    """The tree of these benchmarks, by dataset. A region with one scorer is one leaf."""
    left_out = frozenset(without)

    def node(path: str, label: str, leaves: Iterable[str], *children: Node) -> Node:
        weight = weights.get(path, 1.0)
        return Node(path, label, path not in left_out, weight, tuple(leaves), children)

    def regions(found: Sequence[StoredBenchmark]) -> Iterator[Node]:
        for (dataset, region), each in groupby(found, lambda one: (one.dataset, one.region)):
            listed = list(each)
            session = dataset.partition(":")[2]
            place = f"{session} {region}" if session else region
            if len(listed) == 1:
                label = f"{place} × {listed[0].scorer}"
                yield node(listed[0].name, label, [listed[0].name])
                continue
            scorers = [node(one.name, one.scorer, [one.name]) for one in listed]
            names = [one.name for one in listed]
            yield node(f"{dataset}/{region}", place, names, *scorers)

    ordered = sorted(benchmarks, key=lambda one: (family(one), one.dataset, one.region, one.scorer))
    return tuple(
        node(name, name, [one.name for one in listed], *regions(listed))
        for name, listed in _grouped(ordered)
    )


def family(benchmark: StoredBenchmark) -> str:
    """The dataset of a benchmark; of one session, such as `cowley2023:210325`, the whole of it."""
    return benchmark.dataset.partition(":")[0]


def paths(tree: Iterable[Node]) -> Iterator[str]:
    """The paths of all nodes, parents before children."""
    for node in tree:
        yield node.path
        yield from paths(node.children)


def topmost(left_out: Iterable[str]) -> tuple[str, ...]:
    """These nodes without those that lie below another of them."""
    named = sorted(set(left_out))
    return tuple(
        one for one in named if not any(one != other and is_below(one, other) for other in named)
    )


def selected(benchmarks: Iterable[StoredBenchmark], without: Iterable[str]) -> tuple[str, ...]:
    """The names of the benchmarks that are not left out."""
    nodes = tuple(without)
    return tuple(
        one.name for one in benchmarks if not any(is_below(one.name, node) for node in nodes)
    )


def _grouped(
    ordered: Sequence[StoredBenchmark],
) -> Iterator[tuple[str, tuple[StoredBenchmark, ...]]]:
    for name, found in groupby(ordered, family):
        yield name, tuple(found)
