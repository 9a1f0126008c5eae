"""From association to accepted instance: who may connect, what is received, when it is Success."""

from router.intake.listener import Listener
from router.intake.receiving import open_receiving
from router.intake.released import route_released

__all__ = ["Listener", "open_receiving", "route_released"]
