"""What a saved model consists of: objects that are rebuilt from their arguments."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

from fsbench.errors import CannotSave


class Savable:
    """A predictor, or a part of one, that can be saved: its class and its arguments say all about it.

    Arguments may be numbers, texts, None, tensors, arrays, estimators of scikit-learn, other savable objects,
    and tuples, lists and dictionaries of these. Those of a dataclass are its fields; another class overrides
    `arguments`, and `rebuild` if its constructor does not take them. The tensors of a module are saved
    besides its arguments. Whoever rebuilds an object does not trust its arguments.
    """

    def arguments(self) -> dict[str, Any]:
        """What `rebuild` takes, by name."""
        try:
            known = dataclasses.fields(self)  # type: ignore[arg-type]
        except TypeError:
            raise CannotSave(
                f"{type(self).__name__} is no dataclass and does not override `arguments`"
            ) from None
        return {field.name: getattr(self, field.name) for field in known}

    @classmethod
    def rebuild(cls, **arguments: Any) -> Self:
        """The object of these arguments."""
        return cls(**arguments)
