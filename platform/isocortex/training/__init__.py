"""Training: networks put together from parts that vary independently, and taught."""

from ..recipes import Recipe as Recipe
from .audit import credit_audit as credit_audit
from .checkpoints import Keeper as Keeper
from .diets import Diet as Diet
from .diets import Images as Images
from .folders import image_folder as image_folder
from .loop import Progress as Progress
from .loop import Run as Run
from .loop import Trained as Trained
from .loop import load_part as load_part
from .loop import train as train
from .parts import Batch as Batch
from .parts import EnergyNetwork as EnergyNetwork
from .parts import Learner as Learner
from .parts import Network as Network
from .parts import Objective as Objective
from .parts import Push as Push
