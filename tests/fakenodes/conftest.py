"""What the tests of fakenodes share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakenodes.world import close_worlds


@pytest.fixture(scope="session", autouse=True)
def worlds() -> Iterator[None]:
    """State machines keep their Worlds between examples; the end of all tests is theirs too."""
    yield
    close_worlds()
