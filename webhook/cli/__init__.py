"""The command line: one module per command; printers turn results into text, JSON or JUnit."""
