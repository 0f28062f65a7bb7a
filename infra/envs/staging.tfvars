# Like production, but it can be thrown away.

environment        = "staging"
force_destroy      = true
log_retention_days = 7
tracing_enabled    = true
