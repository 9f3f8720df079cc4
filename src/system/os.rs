//! What is only to be had from the operating system: standard streams, parent processes, limits.
