"""Golden files: screens as they were looked at, each at several widths, with and without colour."""
