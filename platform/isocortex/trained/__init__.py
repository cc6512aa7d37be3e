"""Trained networks: the id is the recipe; shipped, kept on this computer, or trained now."""

from .candidates import find_trained as find_trained
from .candidates import train as train
from .candidates import train_recipe as train_recipe
from .candidates import trained_candidate as trained_candidate
from .candidates import trained_folder as trained_folder
from .curves import plot_history as plot_history
from .facts import history_document as history_document
from .facts import network_facts as network_facts
from .grids import train_all as train_all
from .weights import read_network as read_network
from .weights import write_network as write_network
