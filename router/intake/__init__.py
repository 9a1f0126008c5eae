"""From association to accepted instance: who may connect, what is received, when it is Success."""

from router.intake.listener import Listener
from router.intake.released import route_released

__all__ = ["Listener", "route_released"]
