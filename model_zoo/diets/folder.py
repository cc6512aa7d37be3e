"""Any photographs: a folder or zip archive of the user's own."""

from isocortex.registry import diet
from isocortex.training import Diet, image_folder

from ._own import own_images


@diet(
    variants={
        "folder": {
            "summary": "the photographs of your own folder or zip, 64 × 64 pixels",
            "options": {"side": 64},
        },
        "folder-32": {
            "summary": "the photographs of your own folder or zip, 32 × 32 pixels",
            "options": {"side": 32},
        },
        "folder-128": {
            "summary": "the photographs of your own folder or zip, 128 × 128 pixels",
            "options": {"side": 128},
        },
    },
    term="photographs",
    offers=("labels",),
    source="the user's own",
    bibtex="",
    licence="the user's own",
)
def folder(*, side: int) -> Diet:
    """The images that ISOCORTEX_FOLDER points to, as `isocortex.training.image_folder` reads them.

    A recipe does not say which images they were: give each folder a home folder of its own
    (ISOCORTEX_HOME), or networks trained on another one are taken for trained. Raises InputError
    where nothing is there.
    """
    get = "put images into folders root/<category>, or into such a zip archive"
    return image_folder(own_images("folder", "your folder of images", get), side=side)
