"""What a fresh API server holds, as tables: RBAC's default policy and flow control's default configuration."""
