"""From the queue to the destinations, each with its own senders, back-off and associations."""

from router.delivery.deliveries import Deliveries
from router.delivery.dicom import DicomSender
from router.delivery.outgoing import Hooks, RewritingSender, TaskSender
from router.delivery.receipt import NotReached, Receipt

__all__ = [
    "Deliveries",
    "DicomSender",
    "Hooks",
    "NotReached",
    "Receipt",
    "RewritingSender",
    "TaskSender",
]
