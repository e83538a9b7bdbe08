"""Strategies for Rego values."""

from hypothesis import strategies as st

from webhook.rego.values import RegoSet, Value, make_object

SCALARS: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1.0, 2.0]),
    st.text(max_size=4),
    st.sampled_from(["", "a", "b"]),
)


def values() -> st.SearchStrategy[Value]:
    """Give any value, small ones with a good chance to be equal."""
    return st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(st.tuples(inner, inner), max_size=3).map(make_object),
            st.lists(inner, max_size=3).map(RegoSet),
        ),
        max_leaves=6,
    )
