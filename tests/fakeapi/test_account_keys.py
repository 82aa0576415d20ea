"""Keys of service-account tokens that are given by file: --service-account-signing-key-file,
--service-account-key-file.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fakeapi.config import Config
from fakeapi.launch import Launched, LaunchError, launch


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = rsa.generate_private_key(65537, 2048)
    path = tmp_path_factory.mktemp("keys") / "sa.key"
    pem = serialization.PrivateFormat.TraditionalOpenSSL
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, pem, serialization.NoEncryption()))
    return path


def run(config: Config, use: object = None) -> object:
    async def main() -> object:
        launched: Launched = await launch(config)
        try:
            return use(launched) if callable(use) else None
        finally:
            await launched.stop()

    return asyncio.run(main())


def test_an_rsa_key_signs_with_rs256(key_file: Path) -> None:
    def use(launched: Launched) -> str:
        accounts = launched.server.accounts
        assert accounts is not None
        token = accounts.sign({"aud": [accounts.issuer], "sub": "x"})
        assert accounts.claims(token) is not None
        return accounts.algorithm

    assert run(Config(port=0, service_account_signing_key_file=key_file), use) == "RS256"


def test_tokens_of_a_further_key_are_taken(key_file: Path) -> None:
    made: list[str] = []

    def sign(launched: Launched) -> None:
        accounts = launched.server.accounts
        assert accounts is not None
        made.append(accounts.sign({"aud": [accounts.issuer], "sub": "x"}))

    def check(launched: Launched) -> bool:
        accounts = launched.server.accounts
        assert accounts is not None
        return accounts.claims(made[0]) is not None and len(accounts.jwks()["keys"]) == 2

    run(Config(port=0, service_account_signing_key_file=key_file), sign)
    assert run(Config(port=0, service_account_key_file=key_file), check) is True


@pytest.mark.parametrize("content", [None, b"nonsense"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LaunchError, match=str(path)):
        run(Config(port=0, service_account_key_file=path))
