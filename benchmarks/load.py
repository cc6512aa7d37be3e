"""Load: a leaderboard of 1,000 models × 300 benchmarks, served by two processes to many readers.

    python -m benchmarks.load            # seeds a store in a temporary folder, serves, measures

What is printed: the first page's kilobytes over all its assets and when it is ready, how long a
re-aggregation with changed weights takes in the server, requests a second of lists that are kept
and of lists that are not, and the servers' memory before and after 100,000 requests.
"""

import argparse
import gzip
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, func, insert, select, update

from isocortex import ontology
from isocortex.fingerprints import fingerprint
from isocortex.store import open_store, schema
from isocortex.store.opening import writing

MODELS: Final = 1000
DATASETS, REGIONS, SCORERS = 30, 5, 2
PROCESSES: Final = 2
REQUESTS: Final = 100_000
API: Final = "/api/v1"


def seed(url: str, *, models: int, datasets: int) -> int:
    """Fill an empty store with made-up scores of all models on all benchmarks; how many."""
    generator = np.random.default_rng(0)
    with open_store(url) as store, writing(store.engine) as connection:
        candidates = _candidates(connection, models, generator)
        benchmarks = _benchmarks(connection, datasets)
        environment = _insert(connection, schema.Environment, [{"fingerprint": "e", "facts": {}}])
        talent = generator.normal(0.45, 0.12, models)
        ease = generator.normal(0, 0.05, len(benchmarks))
        for number, candidate in enumerate(candidates):
            noise = generator.normal(0, 0.05, len(benchmarks))
            values = np.clip(talent[number] + ease + noise, -0.2, 1.1)
            _scores(connection, candidate, (benchmarks, environment[0]), values)
        connection.execute(update(schema.Revision).values(number=models * len(benchmarks)))
        return models * len(benchmarks)


def _insert(connection: Connection, table: type[Any], rows: list[dict[str, Any]]) -> list[int]:
    """The ids of the rows; the tables are empty, so that they count from 1."""
    first = connection.scalar(select(func.max(table.id))) or 0
    connection.execute(insert(table), rows)
    return list(range(first + 1, first + 1 + len(rows)))


def _candidates(connection: Connection, models: int, generator: Any) -> list[int]:
    terms = {axis: [one for one in ontology.terms(axis) if one.parent] for axis in ontology.AXES}
    components = {}
    for axis, listed in terms.items():
        rows = [
            {"axis": axis, "name": one.name, "parent": one.parent, "label": one.label}
            | {"reference": one.reference, "properties": dict(one.properties)}
            for one in listed
        ]
        components[axis] = _insert(connection, schema.Component, rows)
    names = [f"lab{number % 40:02}/network-{number:04}" for number in range(models)]
    ids = _insert(connection, schema.Candidate, [{"name": name} for name in names])
    versions = []
    for name, owner in zip(names, ids, strict=True):
        drawn = {axis: int(generator.integers(len(listed))) for axis, listed in terms.items()}
        card = {axis: terms[axis][place].name for axis, place in drawn.items()}
        card |= {"name": name, "summary": "A made-up network.", "licence": "MIT", "bibtex": ""}
        card |= {"source": "Nobody et al. 2026", "preprocessing": {}, "seed": 0}
        versions.append(
            {f"{axis}_id": components[axis][place] for axis, place in drawn.items()}
            | {"candidate_id": owner, "fingerprint": fingerprint(name), "card": card, "seed": 0}
            | {"weights_hash": fingerprint([name]), "layers": ["block1", "block2", "block3"]}
            | {"parameters": int(10 ** generator.uniform(4, 9))}
        )
    return _insert(connection, schema.CandidateVersion, versions)


def _benchmarks(connection: Connection, datasets: int) -> list[int]:
    scorers = {name: _scorer(connection, name) for name in ("rsa", "ridge")[:SCORERS]}
    versions = []
    for number in range(datasets):
        dataset = f"recordings{number:02}"
        version = _dataset(connection, dataset)
        for region in ("V1", "V2", "V4", "IT", "LO")[:REGIONS]:
            for name, scorer in scorers.items():
                full = f"{dataset}/{region}/{name}"
                (benchmark,) = _insert(connection, schema.Benchmark, [{"name": full}])
                versions.append(
                    {"benchmark_id": benchmark, "fingerprint": fingerprint(full)}
                    | {"dataset_version_id": version, "scorer_version_id": scorer}
                    | {"region": region, "protocol": {"seed": 0}, "normalisation": "ratio"}
                )
    return _insert(connection, schema.BenchmarkVersion, versions)


def _scorer(connection: Connection, name: str) -> int:
    (owner,) = _insert(connection, schema.Scorer, [{"name": name}])
    card = {"name": name, "summary": "A made-up scorer.", "bibtex": "", "source": ""}
    row = {"scorer_id": owner, "fingerprint": fingerprint(name), "options": {}, "card": card}
    return _insert(connection, schema.ScorerVersion, [row])[0]


def _dataset(connection: Connection, name: str) -> int:
    (owner,) = _insert(connection, schema.Dataset, [{"name": name}])
    card = {"name": name, "summary": "Made up.", "species": "human", "method": "fMRI"}
    card |= {"source": "Nobody", "bibtex": "", "licence": "CC0", "version": 1}
    row = {"dataset_id": owner, "card_version": 1, "content_hash": fingerprint(name)}
    return _insert(connection, schema.DatasetVersion, [row | {"card": card, "simulated": False}])[0]


def _scores(
    connection: Connection, candidate: int, where: tuple[list[int], int], values: Any
) -> None:
    """A run and a score of one candidate on each benchmark; no arrays are kept of them."""
    benchmarks, environment = where
    pairs = [{"candidate_version_id": candidate, "benchmark_version_id": one} for one in benchmarks]
    now = schema.now()
    run = {"environment_id": environment, "attempt": 1, "seed": 0, "state": "done"}
    run |= {"started_at": now, "finished_at": now, "seconds": 1.0}
    runs = _insert(connection, schema.Run, [pair | run for pair in pairs])
    common = {"is_current": True, "confidence": 0.95, "layer": "block2", "resampled": ["stimuli"]}
    common |= {"counts": {"stimuli": 92}, "detail": "0" * 64, "created_at": now}
    common |= {"ceiling_lower": 0.5, "ceiling_upper": 0.8}
    rows = []
    for pair, run_id, value in zip(pairs, runs, values.tolist(), strict=True):
        numbers = {"value": value, "value_low": value - 0.05, "value_high": value + 0.05}
        raw = {"raw": 0.8 * value, "low": 0.8 * value - 0.04, "high": 0.8 * value + 0.04}
        rows.append(common | pair | numbers | raw | {"run_id": run_id})
    connection.execute(insert(schema.Score), rows)


@contextmanager
def served(url: str, home: Path) -> Iterator[tuple[int, int]]:
    """The port of a server of two processes, and its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "uvicorn", "--factory", "isocortex.web.app:create_app"),
        *("--port", str(port), "--workers", str(PROCESSES), "--log-level", "warning"),
        *("--no-access-log", "--http", "isocortex.web.serving:Impatient"),
    ]
    environment = {**os.environ, "ISOCORTEX_DATABASE": url, "ISOCORTEX_HOME": str(home)}
    process = subprocess.Popen(command, env=environment)
    try:
        _wait(port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            get(port, f"{API}/health")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not start within a minute")


def get(port: int, path: str) -> tuple[bytes, float]:
    """The body as it was sent, compressed, and the seconds until it was there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    begun = time.perf_counter()
    connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.perf_counter() - begun
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path} was answered {answer.status}: {body[:500]!r}")
    return body, seconds


def first_page(port: int) -> None:
    """Print what the first page weighs with all it loads, and how soon it is there."""
    for _ in range(2 * PROCESSES):
        get(port, f"{API}/leaderboard?limit=1&fields=candidate")  # each process reads once
    body, seconds = get(port, "/?nothing=kept")
    html = gzip.decompress(body).decode() if body[:2] == b"\x1f\x8b" else body.decode()
    total, slowest = len(body), 0.0
    for path in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', html)):
        part, took = get(port, path)
        total, slowest = total + len(part), max(slowest, took)
    print(f"first page      {total / 1000:8.1f} kB over all assets (page {len(body) / 1000:.1f})")
    print(f"                {seconds + slowest:8.3f} s from request to last byte, not kept")
    again = get(port, "/?nothing=kept")[1]
    print(f"                {again:8.3f} s when it was asked for before")


def reaggregation(port: int) -> None:
    """Print how long a leaderboard with other weights takes, of which nothing was kept."""
    taken = []
    for number in range(10):
        weights = "&".join(f"weight=recordings{k:02}~{1 + (number + k) % 7}" for k in range(20))
        taken.append(get(port, f"{API}/leaderboard?{weights}&fields=candidate,standing")[1])
    whole = get(port, f"{API}/leaderboard?weight=recordings00~3.5")
    median, all_cells = 1000 * float(np.median(taken)), 1000 * whole[1]
    print(f"other weights   {median:8.1f} ms median, 50 rows with their standings")
    print(f"                {all_cells:8.1f} ms with all cells ({len(whole[0]) / 1000:.0f} kB)")


def requests(port: int, pid: int, folder: Path) -> None:
    """Print requests a second, kept and not kept, and memory over 100,000 requests."""
    if shutil.which("wrk") is None:
        raise SystemExit("needs wrk: apt install wrk")
    server = port, pid
    kept = _script(folder, "kept", [f"{API}/scores?limit=50"], vary=False)
    pages = _script(folder, "pages", _cursors(port), vary=True)
    models = _script(folder, "models", [f"{API}/models?limit=50&fields=name,scores"], vary=True)
    _wrk(server, kept, seconds=3)
    print(f"kept lists      {_told(_wrk(server, kept, seconds=10))}")
    print(f"other scores    {_told(_wrk(server, pages, seconds=10))}")
    print(f"other models    {_told(_wrk(server, models, seconds=10))}")
    before, done = memory(pid), 0
    while done < REQUESTS:
        for script, seconds in ((kept, 10), (pages, 3)):
            done += int(_wrk(server, script, seconds=seconds)["requests"])
    after = memory(pid)
    print(
        f"memory          {before / 1e6:8.0f} MB before, {after / 1e6:.0f} MB after {done:,} more"
    )


def _script(folder: Path, name: str, paths: list[str], *, vary: bool) -> Path:
    """A script of wrk that asks for these; with `vary`, never for the same twice."""
    listed = ",".join(f'"{path}"' for path in paths)
    varied = ' .. "&max_params=" .. (10^12 + math.random(0, 10^9))' if vary else ""
    script = folder / f"{name}.lua"
    script.write_text(
        f"local paths = {{{listed}}}\nmath.randomseed(os.time())\nrequest = function()\n"
        f'  return wrk.format("GET", paths[math.random(#paths)]{varied})\nend\n'
        "done = function(summary, latency)\n"
        '  io.write(string.format("requests=%d failed=%d p50=%f p95=%f seconds=%f\\n",\n'
        "    summary.requests, summary.errors.status + summary.errors.timeout,\n"
        "    latency:percentile(50) / 1000, latency:percentile(95) / 1000,\n"
        "    summary.duration / 1e6))\nend\n"
    )
    return script


def _cursors(port: int) -> list[str]:
    """Addresses of many pages of the list of scores, fifty each."""
    orders = ("-id", "-value", "candidate,benchmark", "raw")
    return [
        f"{API}/scores?limit=50&sort={order}&dataset=recordings{number:02}"
        for order in orders
        for number in range(DATASETS)
    ]


def _wrk(server: tuple[int, int], script: Path, *, seconds: int) -> dict[str, float]:
    port, pid = server
    before = _processor_seconds(pid)
    command = ["wrk", "-t1", "-c16", "--timeout", "10s", f"-d{seconds}s", "-s", str(script)]
    command += ["-H", "Accept-Encoding: gzip", f"http://127.0.0.1:{port}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {key: float(value) for key, value in re.findall(r"(\w+)=([\d.]+)", done)}
    return found | {"cpu": (_processor_seconds(pid) - before) / max(found["requests"], 1)}


def _told(found: dict[str, float]) -> str:
    rate = found["requests"] / found["seconds"]
    failed = f", {found['failed']:.0f} failed" if found["failed"] else ""
    times = f"p50 {found['p50']:.1f} ms, p95 {found['p95']:.1f} ms"
    return f"{rate:8.0f} requests/s, {times}, {1000 * found['cpu']:.2f} ms CPU each{failed}"


def memory(pid: int) -> int:
    """The resident bytes of a process and its children."""
    pages = sum(int((one / "statm").read_text().split()[1]) for one in _family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE")


def _processor_seconds(pid: int) -> float:
    """What a process and its children have taken of all processors."""
    ticks = 0
    for one in _family(pid):
        facts = (one / "stat").read_text().rpartition(") ")[2].split()
        ticks += int(facts[11]) + int(facts[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> list[Path]:
    own = Path(f"/proc/{pid}")
    children = (own / "task" / str(pid) / "children").read_text().split()
    return [own, *(Path(f"/proc/{child}") for child in children)]


def main() -> None:
    """Seed, serve and measure."""
    parser = argparse.ArgumentParser(description="Measure the server under load.")
    parser.add_argument("--models", type=int, default=MODELS)
    parser.add_argument("--datasets", type=int, default=DATASETS, help="of ten benchmarks each")
    parser.add_argument("--home", type=Path, help="keep the seeded store here, or use it again")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="isocortex-load-") as made:
        home = asked.home or Path(made)
        url = f"sqlite:///{home / 'load.sqlite3'}"
        if not (home / "load.sqlite3").exists():
            begun = time.perf_counter()
            count = seed(url, models=asked.models, datasets=asked.datasets)
            print(f"seeded          {count:8,} scores in {time.perf_counter() - begun:.0f} s")
        with served(url, home) as (port, pid):
            first_page(port)
            reaggregation(port)
            requests(port, pid, Path(made))


if __name__ == "__main__":
    main()
