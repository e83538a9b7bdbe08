"""The one composition point: builds the real objects from the settings, each command what it needs of them."""
