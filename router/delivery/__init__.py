"""From the queue to the destinations, each with its own senders, back-off and associations."""

from router.delivery.deliveries import Deliveries

__all__ = ["Deliveries"]
