"""Who owns which field: server-side apply and metadata.managedFields.

Stands for apimachinery's util/managedfields and for structured-merge-diff. The way in is manager.py; below it are
fieldset (the set algebra on FieldsV1), elements (naming list items), typed (comparing and merging by type), validate,
prune, entries (managedFields as JSON), lastapplied (kubectl's annotation) and scale (the scale subresource's mapping).
"""
