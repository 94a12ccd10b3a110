"""sockctl beside its peers: echo servers and load generators in C, echo servers in Python, and what compares them."""
