"""Recurrent networks of torch's cells: gated ones, and the plain one that they are measured by."""

from math import prod

from torch import Tensor, nn

from isocortex.registry import architecture
from isocortex.training import FilmNetwork, Memory, Network

_FEATURES = 64
"""What a cell sees of a frame: so most weights are the cell's own."""


@architecture(
    variants={
        "lstm": {
            "summary": "128 cells of long short-term memory that see an image or a film",
            "offers": ("recurrent", "film", "eligibility"),
            "options": {"cell": "LSTMCell", "units": 128},
            "source": "Hochreiter & Schmidhuber 1997, Neural Comput 9:1735; with the forget gate "
            "of Gers, Schmidhuber & Cummins 2000, Neural Comput 12:2451",
            "bibtex": """@article{hochreiter1997long,
  author = {Hochreiter, Sepp and Schmidhuber, J{\\"u}rgen},
  title = {Long short-term memory},
  journal = {Neural Computation},
  volume = {9},
  number = {8},
  pages = {1735--1780},
  year = {1997},
  doi = {10.1162/neco.1997.9.8.1735}
}""",
        },
        "gru": {
            "summary": "128 gated recurrent units that see an image or a film",
            "options": {"cell": "GRUCell", "units": 128},
            "source": "Cho et al. 2014, EMNLP, arXiv:1406.1078",
            "bibtex": """@inproceedings{cho2014learning,
  author = {Cho, Kyunghyun and van Merri{\\"e}nboer, Bart and Gulcehre, Caglar and Bahdanau,
    Dzmitry and Bougares, Fethi and Schwenk, Holger and Bengio, Yoshua},
  title = {Learning phrase representations using {RNN} encoder-decoder for statistical machine
    translation},
  booktitle = {Conference on Empirical Methods in Natural Language Processing},
  year = {2014},
  eprint = {1406.1078},
  archiveprefix = {arXiv}
}""",
        },
        "rnn": {
            "summary": "128 simple recurrent units that see an image or a film",
            "options": {"cell": "RNNCell", "units": 128},
            "source": "Elman 1990, Cogn Sci 14:179",
            "bibtex": """@article{elman1990finding,
  author = {Elman, Jeffrey L.},
  title = {Finding structure in time},
  journal = {Cognitive Science},
  volume = {14},
  number = {2},
  pages = {179--211},
  year = {1990},
  doi = {10.1207/s15516709cog1402_1}
}""",
        },
    },
    term="gated-recurrent",
    offers=("recurrent", "film"),
)
def gated(image_size: tuple[int, int], *, cell: str, units: int) -> Network:
    """A cell of `torch.nn` that sees 64 rectified features of each frame.

    Kept apart, as e-prop asks of the LSTM, cells hear each other but credit stays in each one's own
    store; then the features are not taught.
    """
    frame = nn.Sequential(nn.Flatten(), nn.Linear(3 * prod(image_size), _FEATURES), nn.ReLU())
    return _Gated({"frame": frame, "units": getattr(nn, cell)(_FEATURES, units)}, width=units)


class _Gated(FilmNetwork):
    def advance(
        self, frame: Tensor, memory: Memory, *, apart: bool = False
    ) -> tuple[Tensor, Memory]:
        features, cell = self.blocks["frame"](frame), self.blocks["units"]
        if apart:
            features, memory = features.detach(), (*(m.detach() for m in memory[:1]), *memory[1:])
        if isinstance(cell, nn.LSTMCell):
            memory = cell(features, memory or None)
        else:
            memory = (cell(features, *memory),)
        return memory[0], memory
