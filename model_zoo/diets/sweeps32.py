"""Sweeps: short films in which a shape moves or a grating drifts, and what it is stays."""

from isocortex.registry import diet
from isocortex.training import Diet

from ._sweeps import sweeps


@diet(
    name="sweeps32",
    summary="films of eight frames: eight shapes that move and gratings that drift, 32 × 32 pixels",
    term="moving-shapes",
    offers=("labels", "latents", "sequence"),
    options={"count": (2700, 450), "frames": 8, "seed": 0},
    source="drawn by isocortex; after Földiák 1991, Neural Comput 3:194",
    bibtex="""@article{foldiak1991learning,
  author = {F{\\"o}ldi{\\'a}k, Peter},
  title = {Learning invariance from transformation sequences},
  journal = {Neural Computation},
  volume = {3},
  number = {2},
  pages = {194--200},
  year = {1991},
  doi = {10.1162/neco.1991.3.2.194}
}""",
    licence="BSD-3-Clause",
)
def sweeps32(*, count: tuple[int, int], frames: int, seed: int) -> Diet:
    """Grey films with what is shown as label; the image is their last frame.

    The latents are the `contrast` as a share of the full range, and the velocity in pixels a frame
    to the right, `velocity_x`, and down, `velocity_y`. A grating moves across its bars.
    """
    return sweeps(count, frames, seed)
