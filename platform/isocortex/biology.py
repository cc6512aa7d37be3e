"""The biology card: what is plausible about a recipe, derived from its parts."""

from .ontology import find_term
from .recipes import Recipe


def biology(recipe: Recipe) -> dict[str, bool]:
    """What speaks for a recipe as an account of a brain, each a fact of its parts.

    The rule's own facts are properties of its term; labels are what any part needs, weights are
    shared where the architecture's term says so, and spikes and Dale's law are offered by parts.
    Raises UnknownNameError for a part that does not exist.
    """
    cards = recipe.cards()
    architecture, _, rule, *_ = cards
    learning = dict(find_term("learning_rule", rule.term).properties)
    learning.pop("needs_no_labels", None)  # of some rules; here it is asked of all parts
    needed = {each for card in cards for each in card.needs}
    offered = {each for card in cards for each in card.offers}
    shared = find_term("architecture", architecture.term).properties.get("weight_sharing", False)
    return {
        **learning,
        "no_labels": not needed & {"labels", "latents"},
        "no_weight_sharing": not shared,
        "dale": "dale" in offered,
        "spikes": "spiking" in offered,
    }
