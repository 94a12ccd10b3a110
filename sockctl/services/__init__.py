"""What is said to clients, in the order in which it is said."""
