"""The services: echo, identify, talk, auth and chat."""
