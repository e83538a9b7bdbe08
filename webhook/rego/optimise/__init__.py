"""Rewrites of the intermediate representation that keep its meaning and make its evaluation cheaper."""
