//! Signing in and out by key: over the wire, in the file, and on the command line.

mod file;
mod login;
mod secrecy;
