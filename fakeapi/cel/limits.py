"""What expressions may cost while they run: apiserver's pkg/apis/cel/config.go."""

# For one expression, for all of an object or of a policy's binding, for the matchConditions of a webhook or binding.
PER_CALL, PER_OBJECT, PER_MATCH = 1_000_000, 10_000_000, 2_500_000

OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"
