"""CustomResourceDefinitions: what makes a definition served (lifecycle, controller) and what it makes of its objects
(kinds, rows, storing). Checks of a definition itself are strategies/customresourcedefinition.py's."""
