"""From parsed modules to resolved rules: full names, own scopes, calls taken apart, safe order, all checks."""
