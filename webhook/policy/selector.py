"""Selectors of kinds and namespaces, as policies write them."""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class KindSelector:
    """`Kind`, `group/Kind` or `*`; the core group is written `core/Kind`."""

    group: str | None
    """None stands for the kind's well-known group, or any group where the kind has none."""
    kind: str
    """`*` stands for every kind."""

    def __str__(self) -> str:
        return self.kind if self.group is None else f"{self.group or 'core'}/{self.kind}"


@dataclass(frozen=True, slots=True)
class NamespaceSelector:
    """Globs (`*`, `?`, `[…]`) over namespace names; `exclude` wins."""

    include: tuple[str, ...] = ()
    """Empty includes every namespace, and objects without one."""
    exclude: tuple[str, ...] = ()

    def matches(self, namespace: str) -> bool:
        """Tell whether a namespace is selected; cluster-scoped objects have the name ''."""
        if any(fnmatchcase(namespace, pattern) for pattern in self.exclude):
            return False
        return not self.include or any(fnmatchcase(namespace, pattern) for pattern in self.include)
