"""Errors of admission.

AdmissionError
├── MalformedReviewError      the body is not an AdmissionReview
├── UnsupportedReviewError    it is one, of a version that is not served
└── PatchError
    ├── MalformedPatchError   not JSONPatch operations
    ├── PatchConflictError    two policies patch the same place differently
    └── InapplicablePatchError  the patch does not apply to the object
"""


class AdmissionError(Exception):
    """Root of everything that this package raises."""


class MalformedReviewError(AdmissionError):
    """The body is not an AdmissionReview; says which field is wrong and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        """Dotted path from the root, such as `request.uid`; empty for the body as a whole."""
        self.reason = reason
        """What is wrong, for a human; never holds a piece of the object."""

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


class UnsupportedReviewError(AdmissionError):
    """An AdmissionReview of a version that is not served."""

    def __init__(self, api_version: str, accepted: str) -> None:
        super().__init__(api_version, accepted)
        self.api_version = api_version
        self.accepted = accepted

    def __str__(self) -> str:
        return f"apiVersion: {self.api_version!r} is not served; send {self.accepted}"


class PatchError(AdmissionError):
    """Root of what can be wrong with a policy's patch."""


class MalformedPatchError(PatchError):
    """A value that is not a JSONPatch operation (RFC 6902)."""


class PatchConflictError(PatchError):
    """Two policies patch the same place differently."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path
        """JSON pointer to the place, inside the object that was sent."""

    def __str__(self) -> str:
        return f"{self.path} would get two different values"


class InapplicablePatchError(PatchError):
    """A patch that cannot be applied to the object that was sent."""
