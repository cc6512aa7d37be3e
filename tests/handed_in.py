"""Models that are handed in: a small ONNX network, its form, and a server that runs for real."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from isocortex.fingerprints import fingerprint
from isocortex.store import Store
from isocortex.store.account_records import Scope, StoredAccount
from isocortex.store.submitted import CheckedSubmission, StoredSubmission

BENCHMARK = "simulated/V1/cka"


def small_onnx(seed: int = 0) -> bytes:
    """A convolution, a rectifier and a mean over places, for images of 32 pixels."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(seed).normal(size=(8, 3, 5, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "weights"], ["edges"], strides=[2, 2]),
        helper.make_node("Relu", ["edges"], ["rectified"]),
        helper.make_node("GlobalAveragePool", ["rectified"], ["mean"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["batch", 8, 1, 1])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def onnx_form(**changes: Any) -> dict[str, Any]:
    """The form of that network, without its file."""
    form = {
        "model": "small",
        "kind": "onnx",
        "benchmarks": [BENCHMARK],
        "layers": ["rectified"],
        "card": {
            "summary": "A small random network.",
            "architecture": "feedforward",
            "objective": "none",
            "learning_rule": "untrained",
            "diet": "none",
            "licence": "CC0",
        },
        "preprocessing": {"resize": 32, "crop": 32},
    }
    return {**form, **changes}


def new_account(
    store: Store, name: str = "ada", *, scopes: tuple[Scope, ...] = ("read", "submit")
) -> tuple[StoredAccount, str]:
    """An account and a token of it."""
    account = store.accounts.create(name, password="correct horse battery")
    secret, _ = store.accounts.make_token(account.id, "tests", scopes)
    return account, secret


def checked(model: str, *benchmarks: str) -> CheckedSubmission:
    """What would be handed in, as if it had been checked."""
    return CheckedSubmission(
        model=model,
        kind="onnx",
        visibility="private",
        card={"summary": "Checked."},
        source={"layers": ["a"]},
        blob=None,
        content_hash=fingerprint({"model": model}),
        benchmarks=benchmarks,
    )


def stored(store: Store, name: str = "ada", *benchmarks: str, model: str = "m") -> StoredSubmission:
    """A submission as if it had been checked, with its jobs."""
    made = replace(
        checked(model, *benchmarks), content_hash=fingerprint({"model": model, "of": name})
    )
    found, _ = store.submissions.add(store.accounts.find(name).id, made)
    store.queue.add(found.key, benchmarks)
    return found


@contextmanager
def served(application: Any) -> Iterator[str]:
    """The address of a server that runs the application in a thread."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()  # a request waits here until the server answers
        config = uvicorn.Config(application, log_level="error", timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def write_onnx(folder: Path, *, seed: int = 0) -> Path:
    """That network as a file."""
    path = folder / "small.onnx"
    path.write_bytes(small_onnx(seed))
    return path
