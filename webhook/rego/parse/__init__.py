"""Tokens to syntax tree: one class per level of the grammar, each building on the one below."""
