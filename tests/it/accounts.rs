//! Signing in and out: over the wire, in the file, with several accounts, and on the command line.

mod file;
mod login;
mod secrecy;
mod several;
