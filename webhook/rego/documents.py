"""Two operations on whole documents that the plan language needs: replacing a part and merging.

Both leave their arguments as they are and share what does not change. Knows nothing of plans.
"""

from __future__ import annotations

from collections.abc import Sequence

from webhook.rego.values import Value


def replace_at(document: Value, path: Sequence[str], value: Value) -> Value:
    """Give `document` with `value` at `path`; what is missing or no object on the way becomes an object."""
    if not path:
        return value
    result = dict(document) if type(document) is dict else {}
    result[path[0]] = replace_at(result.get(path[0]), path[1:], value)
    return result


def merge(left: Value, right: Value) -> Value:
    """Give the recursive union of two objects; where both have a key and not both objects there, left wins."""
    if type(left) is not dict or type(right) is not dict:
        return left
    result = dict(right)
    for key, value in left.items():
        result[key] = merge(value, right[key]) if key in right else value
    return result
