"""The subcommands of `fakekube`, one module each: register(commands) adds its parser, whose `run` takes the options."""
