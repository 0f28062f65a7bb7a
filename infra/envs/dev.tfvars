# Each developer's or branch's own: cheap, and its data may be lost.

environment   = "dev"
force_destroy = true
log_level     = "DEBUG"
