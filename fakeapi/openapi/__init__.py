"""OpenAPI documents as views over the resource table."""

from fakeapi.openapi.serve import Reply, serve
from fakeapi.openapi.views import V2_JSON, V2_PROTOBUF, V3_PROTOBUF, Document, Views

__all__ = ["V2_JSON", "V2_PROTOBUF", "V3_PROTOBUF", "Document", "Reply", "Views", "serve"]
