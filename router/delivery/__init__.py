"""From the queue to the destinations, each with its own senders, back-off and associations."""
