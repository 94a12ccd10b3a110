"""Network topics shown live: a packet lab, and one module for each topic."""
