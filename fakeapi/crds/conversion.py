"""Objects of a custom kind from one version into another: by renaming, or by asking the definition's webhook.

Stands for apiextensions' apiserver/conversion.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from fakeapi import errors, meta
from fakeapi.crds.kinds import Kind, Version
from fakeapi.gofmt import go_quote
from fakeapi.strategies.base import Obj
from fakeapi.webhookclient import WebhookError, post

if TYPE_CHECKING:
    from fakeapi.admission.base import Reader

GROUP = "apiextensions.k8s.io"
REVIEWS = ("v1", "v1beta1")
SECONDS = 30

# Ask a conversion webhook: (kind, objects, desired apiVersion) -> converted objects. ApiError 500.
Ask = Callable[[Kind, list[Obj], str], Awaitable[list[Obj]]]


class Converter:
    """Converts the objects of one kind."""

    def __init__(self, kind: Kind, ask: Ask) -> None:
        self._kind = kind
        self._ask = ask

    async def convert(self, objects: list[Obj], to: Version) -> list[Obj]:
        """The objects in that version; may change the ones given. ApiError 500: the webhook does not do its work."""
        wanted = to.api_version
        if all(obj["apiVersion"] == wanted for obj in objects):
            return objects
        if self._kind.converts_by_webhook:
            return await self._ask(self._kind, objects, wanted)
        for obj in objects:
            obj["apiVersion"] = wanted
        return objects


class Webhook:
    """Asks the conversion webhooks of definitions."""

    def __init__(self, reader: Reader, rng: random.Random) -> None:
        self._reader = reader
        self._rng = rng

    async def ask(self, kind: Kind, objects: list[Obj], wanted: str) -> list[Obj]:
        """The objects in the wanted apiVersion; of metadata, labels and annotations alone may change. ApiError 500."""
        webhook = kind.conversion.get("webhook") or {}
        versions = [v for v in webhook.get("conversionReviewVersions") or () if v in REVIEWS]
        converting = [obj for obj in objects if obj["apiVersion"] != wanted]
        if not versions:
            text = f"conversion webhook does not accept known ConversionReview versions ({', '.join(REVIEWS)})"
            raise errors.plain_500(text)
        failed = f"conversion webhook for {_kind_text(converting[0])} failed"
        uid = meta.new_uid(self._rng)
        request = {"uid": uid, "desiredAPIVersion": wanted, "objects": converting}
        review = {
            "kind": "ConversionReview",
            "apiVersion": f"{GROUP}/{versions[0]}",
            "request": request,
            "response": None,
        }
        client = webhook.get("clientConfig") or {}
        try:
            answer = await post(client, review, SECONDS, self._reader)
        except WebhookError as error:
            raise errors.plain_500(f"{failed}: {_posted(client, str(error))}") from None
        found = iter(_converted(answer, uid, converting, failed, wanted))
        return [obj if obj["apiVersion"] == wanted else next(found) for obj in objects]


def _kind_text(obj: Obj) -> str:
    return f"{obj['apiVersion']}, Kind={obj['kind']}"


def _posted(client: Obj, text: str) -> str:
    """An error that came before anything was sent names the request too."""
    service = client.get("service")
    if service is None or text.startswith("Post "):
        return text
    path = (service.get("path") or "/").removeprefix("/")
    url = f"https://{service['name']}.{service['namespace']}.svc:{service.get('port', 443)}/{path}?timeout={SECONDS}s"
    return f"Post {go_quote(url)}: {text}"


def _converted(answer: Obj, uid: str, objects: list[Obj], failed: str, wanted: str) -> list[Obj]:
    """The objects of a response, checked. ApiError 500."""
    response = answer.get("response")
    if not isinstance(response, dict):
        raise errors.plain_500(f"{failed}: no response provided")
    if response.get("uid") != uid:
        raise errors.plain_500(
            f"{failed}: expected response.uid={go_quote(uid)}, got {go_quote(str(response.get('uid', '')))}"
        )
    result = response.get("result") or {}
    if result.get("status") != "Success":
        text = (
            result.get("message")
            or "response.result.status was " + go_quote(str(result.get("status", ""))) + ", not Success"
        )
        raise errors.plain_500(f"{failed}: {text}")
    made = response.get("convertedObjects") or []
    returned = failed.removesuffix(" failed") + " returned"
    if len(made) != len(objects):
        raise errors.plain_500(f"{returned} {len(made)} objects, expected {len(objects)}")
    for index, (old, new) in enumerate(zip(objects, made, strict=True)):
        problem = _problem(old, new, wanted)
        if problem:
            raise errors.plain_500(f"{returned} invalid object at index {index}: {problem}")
        _restore(old, new)
    return made


def _problem(old: Obj, new: Any, wanted: str) -> str:
    if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
        return "missing metadata in converted object"
    if new.get("apiVersion") != wanted:
        return f"invalid groupVersion (expected {wanted}, received {new.get('apiVersion', '')})"
    if new.get("kind") != old["kind"]:
        return f"invalid kind (expected {old['kind']}, received {new.get('kind', '')})"
    for field, shown in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        was, now = old["metadata"].get(field, ""), new["metadata"].get(field, "")
        if was != now:
            return f"must have the same {shown}: {was} != {now}"
    return ""


def _restore(old: Obj, new: Obj) -> None:
    """Of metadata, a webhook may change labels and annotations alone."""
    given = new["metadata"]
    metadata = dict(old["metadata"])
    for field in ("labels", "annotations"):
        if given.get(field) is None:
            metadata.pop(field, None)
        else:
            metadata[field] = given[field]
    new["metadata"] = metadata
