"""Cards to fill in: what `isocortex submit --example KIND` prints."""

from typing import Final

KINDS: Final = ("onnx", "weights", "hub", "activations", "plugin")

_HEAD: Final = """\
# A card for `isocortex submit`. What begins with # is optional.
model = "my-network"              # letters, digits, dot, hyphen and underscore
kind = "{kind}"
visibility = "{visibility}"            # private: only you; unlisted: who knows its name; public
benchmarks = ["simulated/IT/ridge"]   # or -b; `isocortex benchmarks` lists them
"""

_CARD: Final = """
[card]
summary = "What it is, in one sentence."
# Terms as in `isocortex models`; "unknown" is one of each. A wrong one brings the nearest.
architecture = "unknown"
objective = "unknown"
learning_rule = "unknown"
diet = "unknown"
licence = "MIT"
# source = "A paper, DOI or address"
# code = "https://example.org/code"
# accuracy = "ImageNet top-1 71 %"
# seed = 0
# bibtex = \"\"\"@article{...}\"\"\"
"""

_LAYERS: Final = """\
# layers = ["layer1", "layer4"]   # at most 64; without any, some over the depth are chosen
"""

_PREPROCESSING: Final = """
[preprocessing]                   # from an image (0-255) to the network's input
resize = 256                      # the shorter side, pixels
crop = 224                        # the centre
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
# scale = 1.0                     # after 0-255 became 0-1
# channels = "RGB"                # or BGR
# interpolation = "bilinear"      # or bicubic
"""

_PARTS: Final = {
    "onnx": _LAYERS
    + _CARD
    + _PREPROCESSING
    + """
# [input]
# name = "input"                  # of the graph; the only one, if you name none
# layout = "NCHW"                 # or NHWC
""",
    "weights": _LAYERS
    + _CARD
    + _PREPROCESSING
    + """
[network]
architecture = "torchvision/resnet18"   # or timm/…, or one of the zoo: conv4
# classes = 1000                  # of the classifier; 0 for none
# image_size = 224
""",
    "hub": _LAYERS
    + _CARD
    + """
[reference]
hub = "torchvision"               # or timm, huggingface
name = "resnet18"                 # timm: resnet18.a1_in1k; huggingface: owner/model
revision = "IMAGENET1K_V1"        # elsewhere the commit's 40 digits
# file = "model.safetensors"
""",
    "activations": '# layers = ["layer1"]             # of the file; all by default\n' + _CARD,
    "plugin": _LAYERS
    + _CARD
    + _PREPROCESSING
    + """
[plugin]
format = "python"                 # or pt2, torchscript, pickle; approved accounts only
# function = "model"              # returns the torch module
""",
}


def example(kind: str, *, visibility: str = "private") -> str:
    """The card of that kind, as TOML with comments."""
    return _HEAD.format(kind=kind, visibility=visibility) + _PARTS[kind]
