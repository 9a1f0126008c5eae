"""Whether every key of a configuration takes effect in a router that runs."""
