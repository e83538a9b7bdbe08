"""Evaluators: the compiled one in process, regopy in a supervised subprocess."""
