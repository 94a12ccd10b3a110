"""The topics, one module each; `sockctl.explain.catalogue` names them."""
