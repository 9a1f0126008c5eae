"""How fast the router is, side by side with what else there is, in one run on one machine."""
