"""From an accepted instance to its copies: which routes apply, and what their chains make of it."""
