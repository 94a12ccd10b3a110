"""The command line: options in, a service started, errors to exit codes; all prompts and pictures."""
