"""The error of must-deny probes, apart from what it takes to ask them."""


class InvalidProbe(Exception):  # noqa: N818 - reads as what it is
    """A file of probes holds something else; the message names the file and what is wrong."""
