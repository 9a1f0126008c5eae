"""The configuration a new site starts from."""

from importlib.resources import files


def init_text() -> str:
    """The commented file `dicom-router init` writes."""
    return files(__package__).joinpath("starter.yaml").read_text("utf-8")
