"""The verbs of the house: decide, reload, and what follows an answer."""
