"""Around the way of an instance: the node, its control socket, its log and its commands."""
