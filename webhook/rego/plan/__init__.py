"""From resolved rules to OPA's intermediate representation: one function per rule, one plan per query."""
