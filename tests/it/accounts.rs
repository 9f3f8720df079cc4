//! Signing in and out: over the wire, in the file, with several accounts, and on the command line.

mod file;
mod login;
#[cfg(unix)]
mod race;
mod secrecy;
mod several;
